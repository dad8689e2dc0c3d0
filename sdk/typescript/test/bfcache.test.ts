import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, Person, type Stage } from "./browser.js";

// A page that comes back out of Chromium's back-forward cache: it was frozen, its connections were cut, and nobody told it.

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
});
afterAll(() => stage?.close());

test.each(["sse", "ws", "poll"])("events over %s go on where they were, none lost and none twice", async (transport) => {
  const alice = await Person.open(stage);
  const bob = await Person.open(stage);
  const say = (n: number) => `${transport} kept ${n}`;
  await alice.signIn(stage, "alice", transport);
  await bob.signIn(stage, "bob", transport);
  await alice.openConversation("研发部");
  await bob.openConversation("研发部");
  await bob.say(say(1));
  await alice.hears([say(1)]);
  await alice.page.evaluate(() => {
    const page = globalThis as unknown as { cameBack?: boolean };
    addEventListener("pageshow", (event) => (page.cameBack = event.persisted));
  });

  await alice.page.goto(`${stage.url}/docs`);
  await bob.say(say(2));
  await bob.hears([say(1), say(2)]);
  await alice.page.goBack({ waitUntil: "commit" });
  expect(await alice.page.evaluate(() => (globalThis as unknown as { cameBack?: boolean }).cameBack)).toBe(true); // else it was loaded anew
  await alice.hears([say(1), say(2)]);
  await bob.say(say(3));
  await alice.hears([say(1), say(2), say(3)]);
  await alice.close();
  await bob.close();
});
