import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, Person, type Stage } from "./browser.js";

// The chat in Chromium, as alice and bob use it. Each test signs them in anew, which signs them out wherever they were.

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.close());

const group = "研发部";

/** A PNG of some colours, drawn by the browser itself. */
async function picture(person: Person): Promise<Buffer> {
  const data = await person.page.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.width = 480;
    canvas.height = 300;
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas");
    const colours = context.createLinearGradient(0, 0, 480, 300);
    colours.addColorStop(0, "#3461d1");
    colours.addColorStop(1, "#7fd1ae");
    context.fillStyle = colours;
    context.fillRect(0, 0, 480, 300);
    return canvas.toDataURL("image/png").split(",")[1] ?? "";
  });
  return Buffer.from(data, "base64");
}

describe.each(["sse", "ws", "poll"])("over %s", (transport) => {
  test("alice and bob chat; a reload keeps the place; a cut network loses nothing", async () => {
    const alice = await Person.open(stage);
    const bob = await Person.open(stage);
    const say = (n: number) => `${transport} ${n}`;
    await alice.signIn(stage, "alice", transport);
    await bob.signIn(stage, "bob", transport);
    await expect.poll(() => bob.page.locator(".connection").getAttribute("data-transport")).toBe(transport);
    await alice.openConversation(group);
    await bob.openConversation(group);

    await alice.say(say(1));
    await bob.hears([say(1)]);
    await bob.say(say(2));
    await alice.hears([say(1), say(2)]);

    await bob.page.reload();
    await bob.online();
    await bob.page.locator(".head h1", { hasText: group }).waitFor();
    await bob.hears([say(1), say(2)]);

    await bob.context.setOffline(true);
    await bob.page.locator(".connection p").waitFor();
    await alice.say(say(3));
    await alice.hears([say(1), say(2), say(3)]);
    await bob.say(say(4));
    await bob.page.locator(".message.sending, .message.failed").waitFor();
    await bob.context.setOffline(false);
    await bob.hears([say(1), say(2), say(3), say(4)]);
    await alice.hears([say(1), say(2), say(3), say(4)]);
    await alice.close();
    await bob.close();
  });
});

test("unread messages are counted until the conversation is opened, over a reload, too", async () => {
  const alice = await Person.open(stage);
  const bob = await Person.open(stage);
  await alice.signIn(stage, "alice");
  await bob.signIn(stage, "bob");
  await alice.openConversation(group);
  await alice.say("unread 1");
  await alice.say("unread 2");
  const badge = bob.page.locator("a.row", { hasText: group }).locator(".badge");
  await expect.poll(() => badge.innerText()).toBe("2");
  await expect.poll(() => bob.page.title()).toBe("(2) Xuangate");
  await bob.page.reload();
  await bob.online();
  await expect.poll(() => badge.innerText()).toBe("2");
  await bob.openConversation(group);
  await expect.poll(() => badge.count()).toBe(0);
  await alice.close();
  await bob.close();
});

test("a picture is uploaded, and seen by both", async () => {
  const alice = await Person.open(stage);
  const bob = await Person.open(stage);
  await alice.signIn(stage, "alice");
  await bob.signIn(stage, "bob");
  await alice.openConversation(group);
  await bob.openConversation(group);
  await alice.page.locator("input[type=file]").setInputFiles({ name: "晚霞.png", mimeType: "image/png", buffer: await picture(alice) });
  for (const person of [alice, bob]) {
    const image = person.page.locator(".message:not(.sending) img[alt='晚霞.png']");
    await image.waitFor();
    await expect.poll(() => image.evaluate((each) => (each as HTMLImageElement).naturalWidth)).toBe(480);
  }
  await alice.page.locator("input[type=file]").setInputFiles({ name: "周报.txt", mimeType: "text/plain", buffer: Buffer.from("本周进展") });
  const download = bob.page.waitForEvent("download");
  await bob.page.locator(".file", { hasText: "周报.txt" }).click();
  expect((await download).suggestedFilename()).toBe("周报.txt");
  await alice.close();
  await bob.close();
});

test("a group is made, renamed and left; a one-to-one conversation is opened", async () => {
  const alice = await Person.open(stage);
  const carol = await Person.open(stage);
  await alice.signIn(stage, "alice");
  await carol.signIn(stage, "carol");
  await alice.makeGroup("周会", "bob", "carol");
  await carol.openConversation("周会");

  await alice.page.getByRole("button", { name: "会话信息" }).click();
  await alice.page.getByRole("button", { name: "修改群名" }).click();
  await alice.page.locator(".portrait input").fill("周会二");
  await alice.page.getByRole("button", { name: "保存" }).click();
  await carol.page.locator(".head h1", { hasText: "周会二" }).waitFor();
  alice.page.on("dialog", (dialog) => void dialog.accept());
  await alice.page.getByRole("button", { name: /移除 Carol/ }).click();
  await expect.poll(() => carol.page.locator("a.row", { hasText: "周会二" }).count()).toBe(0);

  await alice.page.getByRole("button", { name: "发起会话" }).click();
  await alice.page.locator("dialog li", { hasText: "carol" }).locator("input").check();
  await alice.page.locator("dialog").getByRole("button", { name: "创建" }).click();
  await alice.page.locator(".head h1", { hasText: "Carol" }).waitFor();
  await alice.say("你好,Carol");
  await carol.openConversation("Alice");
  await carol.hears(["你好,Carol"]);
  await alice.close();
  await carol.close();
});

test("history is scrolled to its beginning, page by page", async () => {
  const alice = await Person.open(stage);
  await alice.signIn(stage, "alice");
  await alice.page.getByRole("button", { name: "发起会话" }).click();
  await alice.page.locator("dialog li", { hasText: "dave" }).locator("input").check();
  await alice.page.locator("dialog").getByRole("button", { name: "创建" }).click();
  await alice.page.locator(".head h1", { hasText: "Dave" }).waitFor();
  await alice.page.evaluate(async () => {
    const { token } = JSON.parse(localStorage.getItem("xuangate.session") ?? "{}") as { token: string };
    for (let i = 1; i <= 130; i++) {
      const body = JSON.stringify({ conversation_id: "4&7", type: 1, content: `历史 ${i}` });
      await fetch("send_msg", { method: "POST", headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body });
    }
  });
  await alice.page.reload();
  await alice.online();
  await alice.hears(["历史 130"]);
  expect((await alice.texts()).length).toBeLessThan(130);
  const log = alice.page.locator(".log");
  await expect
    .poll(async () => {
      await log.evaluate((pane) => (pane.scrollTop = 0));
      return (await alice.texts())[0];
    }, { timeout: 20_000 })
    .toBe("历史 1");
  expect(await alice.texts()).toEqual(Array.from({ length: 130 }, (_, i) => `历史 ${i + 1}`));
  await alice.close();
});

test("a sign-in elsewhere shows itself", async () => {
  const here = await Person.open(stage);
  const there = await Person.open(stage);
  await here.signIn(stage, "bob");
  await there.signIn(stage, "bob");
  await here.page.locator("[data-ended=kicked]").waitFor();
  await here.shot("kicked");
  await here.close();
  await there.close();
});

describe("what the server behind lacks", () => {
  let old: Stage;
  beforeAll(async () => {
    old = await openStage({}, "v1");
  });
  afterAll(() => old?.close());

  test("one of version 1.0: it chats both ways, and offers no more than there is", async () => {
    const alice = await Person.open(old);
    const bob = await Person.open(old);
    for (const [person, account] of [[alice, "alice"], [bob, "bob"]] as const) {
      await person.signIn(old, account);
      await person.openConversation(group);
    }
    await alice.say("1.0 一");
    await bob.hears(["1.0 一"]);
    await bob.say("1.0 二");
    await alice.hears(["1.0 一", "1.0 二"]);
    await alice.page.locator("input[type=file]").setInputFiles({ name: "周报.txt", mimeType: "text/plain", buffer: Buffer.from("本周进展") });
    await bob.page.locator(".file", { hasText: "周报.txt" }).waitFor();
    await alice.shot("v1-conversation");

    await alice.page.getByRole("button", { name: "会话信息" }).click();
    const mute = alice.page.getByRole("switch", { name: /消息免打扰/ });
    expect(await mute.isDisabled()).toBe(true);
    await alice.page.locator(".switch", { hasText: "聊天服务器的版本不支持" }).waitFor();
    const star = alice.page.getByRole("switch", { name: "置顶" });
    await star.check();
    await alice.page.locator("a.row.starred", { hasText: group }).waitFor();
    await star.uncheck();
    expect(await alice.page.getByRole("button", { name: "通知" }).count()).toBe(0);
    await alice.shot("v1-details");
    expect(await seriousIn(alice)).toEqual([]);
    await alice.close();
    await bob.close();
  });

  test("an own group cannot be dismissed there", async () => {
    const carol = await Person.open(old);
    await carol.signIn(old, "carol");
    await carol.makeGroup("旧版", "bob", "dave");
    await carol.page.getByRole("button", { name: "会话信息" }).click();
    expect(await carol.page.getByRole("button", { name: "解散群聊" }).isDisabled()).toBe(true);
    await carol.page.locator(".details footer", { hasText: "聊天服务器的版本不支持" }).waitFor();
    await carol.shot("v1-own-group");
    expect(await seriousIn(carol)).toEqual([]);
    await carol.close();
  });

  test("one that takes no files: none is chosen, and one that is dropped is told no", async () => {
    const alice = await Person.open(stage);
    await alice.page.route("**/get_server_info", async (route) => {
      const answer = (await (await route.fetch()).json()) as { data: { Capabilities: string[] } };
      answer.data.Capabilities = answer.data.Capabilities.filter((each) => each !== "files");
      await route.fulfill({ json: answer });
    });
    await alice.signIn(stage, "alice");
    await alice.openConversation(group);
    expect(await alice.page.getByRole("button", { name: "发送图片或文件" }).isDisabled()).toBe(true);
    await alice.page.locator(".composer").evaluate((composer) => {
      const files = new DataTransfer();
      files.items.add(new File(["x"], "a.txt"));
      composer.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: files }));
    });
    await alice.page.locator(".composer [role=alert]", { hasText: "此服务器不能收发文件" }).waitFor();
    expect(await alice.page.locator(".message.sending, .message.failed").count()).toBe(0);
    expect(await seriousIn(alice)).toEqual([]);
    await alice.shot("no-files");
    await alice.close();
  });

  test("where nothing is lacking all is offered", async () => {
    const alice = await Person.open(stage);
    await alice.signIn(stage, "alice");
    await alice.makeGroup("齐全", "bob", "carol");
    await alice.page.getByRole("button", { name: "会话信息" }).click();
    const mute = alice.page.getByRole("switch", { name: "消息免打扰", exact: true });
    await mute.check();
    await expect.poll(() => mute.isChecked()).toBe(true);
    await alice.page.getByRole("button", { name: "通知" }).waitFor();
    alice.page.on("dialog", (dialog) => void dialog.accept());
    await alice.page.getByRole("button", { name: "解散群聊", exact: true }).click();
    await alice.page.locator(".closed").waitFor();
    await alice.close();
  });
});

test("what goes wrong is said in the page's language, and a cut network on a phone's list, too", async () => {
  const demo = await Person.open(stage, { phone: true });
  await demo.page.goto(stage.url);
  await demo.page.locator("input[name=account]").fill("demo");
  await demo.page.locator("input[name=password]").fill("wrong");
  await demo.page.locator("button[type=submit]").click();
  await demo.page.getByRole("alert").filter({ hasText: "账号或密码错误" }).waitFor();
  await demo.signIn(stage, "demo");
  await demo.context.setOffline(true);
  await demo.page.locator(".connection p", { hasText: "网络已断开" }).waitFor();
  await demo.shot("phone-offline-list");
  expect(await seriousIn(demo)).toEqual([]);
  await demo.openConversation(group);
  await demo.page.locator(".connection p", { hasText: "网络已断开" }).waitFor();
  await demo.page.getByRole("button", { name: "会话信息" }).click();
  await demo.page.getByRole("switch", { name: "置顶" }).click();
  await demo.page.locator(".details .problem", { hasText: "连不上服务器" }).waitFor();
  await demo.close();
});

test("by keyboard alone", async () => {
  const alice = await Person.open(stage, { locale: "en-GB" });
  await alice.page.goto(stage.url);
  const keys = alice.page.keyboard;
  await keys.type("alice");
  await keys.press("Tab");
  await keys.type("123456");
  await keys.press("Enter");
  await alice.online();
  await keys.press("Control+k");
  await keys.type(group);
  await keys.press("Enter");
  await alice.page.locator(".head h1", { hasText: group }).waitFor();
  await keys.type("by keyboard");
  await keys.press("Enter");
  await alice.hears(["by keyboard"]);
  await alice.close();
});

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** What axe-core finds serious in a page. It is run by the browser's debugger, which the page's policy does not bind. */
async function seriousIn(person: Person): Promise<string[]> {
  const { readFileSync } = await import("node:fs");
  await person.page.evaluate(readFileSync(axe, "utf8"));
  return person.page.evaluate(async () => {
    interface Found {
      violations: { impact: string; id: string; nodes: { html: string; any: { message: string }[] }[] }[];
    }
    const found = await (globalThis as unknown as { axe: { run(): Promise<Found> } }).axe.run();
    return found.violations.filter(({ impact }) => impact === "serious" || impact === "critical").flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`));
  });
}

test.each([
  { name: "desktop", phone: false, dark: false, locale: "zh-CN" },
  { name: "desktop-dark", phone: false, dark: true, locale: "en-GB" },
  { name: "phone", phone: true, dark: false, locale: "zh-CN" },
  { name: "phone-dark", phone: true, dark: true, locale: "en-GB" },
])("$name: axe-core finds nothing serious, and it is there to be looked at", async ({ name, ...options }) => {
  const alice = await Person.open(stage, options);
  await alice.page.goto(stage.url);
  await alice.page.locator("input[name=account]").waitFor();
  await alice.shot(`${name}-sign-in`);
  expect(await seriousIn(alice)).toEqual([]);
  await alice.signIn(stage, "alice");
  await alice.shot(`${name}-list`);
  expect(await seriousIn(alice)).toEqual([]);
  await alice.openConversation(group);
  await alice.page.locator(".message").first().waitFor();
  await expect.poll(() => alice.page.locator(".frame.waiting").count()).toBe(0);
  await alice.shot(`${name}-conversation`);
  expect(await seriousIn(alice)).toEqual([]);
  await alice.page.locator(".head button[aria-expanded]").click();
  await alice.page.locator(".details").waitFor();
  await alice.shot(`${name}-details`);
  expect(await seriousIn(alice)).toEqual([]);
  await alice.page.locator(".details > header button").click();
  if (options.phone) await alice.page.locator(".back").click();
  await alice.page.locator(".list > header button").last().click();
  await alice.page.locator("dialog[open] .people li").first().waitFor();
  // The way a dialog comes in is no colour of it.
  await alice.page.locator("dialog").evaluate((each) => Promise.all(each.getAnimations().map((animation) => animation.finished)));
  await alice.shot(`${name}-new`);
  expect(await seriousIn(alice)).toEqual([]);
  await alice.close();
});

test("the page is light, and asks nobody but its gateway", async () => {
  const alice = await Person.open(stage);
  const sizes: number[] = [];
  alice.page.on("requestfinished", (request) => void request.sizes().then((size) => sizes.push(size.responseBodySize), () => {})); // a stream may outlive the page
  await alice.page.goto(stage.url);
  await alice.page.locator("input[name=account]").waitFor();
  const [weight, files] = [sizes.reduce((sum, each) => sum + each, 0), sizes.length];
  const began = Date.now();
  await alice.signIn(stage, "alice");
  await alice.openConversation(group);
  await alice.page.locator(".message").first().waitFor();
  console.log(`the chat: ${weight} bytes in ${files} requests until one can sign in, ${Date.now() - began} ms from there to the first message`);
  expect(weight).toBeLessThan(60_000);
  expect(alice.requests.filter((url) => !url.startsWith(stage.url) && !url.startsWith("blob:"))).toEqual([]);
  expect(alice.requests.filter((url) => /token=/.test(url))).toEqual([]);
  await alice.close();
});
