import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, Person, type Stage } from "./browser.js";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.close());

test("the documentation signs in and calls, by its own buttons, and asks nobody but its gateway", async () => {
  const reader = await Person.open(stage);
  const { page } = reader;
  const run = async (id: string) => {
    const block = page.locator(`[id$="-${id}"]`);
    await block.locator(".opblock-summary-control").click();
    const done = page.waitForResponse((response) => response.request().method() === "POST");
    await block.getByRole("button", { name: "Execute" }).click();
    const response = await done;
    expect(response.status()).toBe(200);
    await block.locator(".live-responses-table").waitFor();
    return (await response.json()) as { data: Record<string, unknown> };
  };
  await page.goto(`${stage.url}/docs`);
  const { data } = await run("Login");
  expect(data["Token"]).toMatch(/^xg_/);
  const me = await run("GetMe"); // with the token that the page took from the answer
  expect(me.data["Account"]).toBe("alice");
  await reader.shot("docs");
  expect(reader.requests.filter((url) => !url.startsWith(stage.url) && !url.startsWith("data:"))).toEqual([]);
  await reader.close();
});
