import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { type Browser, type BrowserContext, chromium, type LaunchOptions, type Page } from "playwright-core";
import { expect } from "vitest";
import { build, start } from "./programs.js";

/** Where screenshots go, to be looked at; git ignores it. */
export const screenshots = resolve(import.meta.dirname, "screenshots");

/** A Stage is a gateway of its own and a browser. */
export interface Stage {
  url: string;
  browser: Browser;
  close(): Promise<void>;
}

export async function openStage(options: LaunchOptions = {}, mode = "xxb"): Promise<Stage> {
  mkdirSync(screenshots, { recursive: true });
  const [gateway, browser] = await Promise.all([
    start(build("./cmd/xuangate", "xuangate"), ["dev", "--addr", "127.0.0.1:0", "--mode", mode], /API +(http:\S+?)\s/),
    chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox"], ...options }),
  ]);
  return {
    url: gateway.found,
    browser,
    close: async () => {
      await browser.close();
      await gateway.end();
    },
  };
}

/** A Person is somebody in a browser of his own. */
export class Person {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What went wrong in the page. */
  readonly problems: string[] = [];
  readonly requests: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && /Content Security Policy|Uncaught/.test(message.text())) this.problems.push(message.text());
    });
    page.on("request", (request) => this.requests.push(request.url()));
  }

  static async open(stage: Stage, options: { phone?: boolean; dark?: boolean; locale?: string } = {}): Promise<Person> {
    const context = await stage.browser.newContext({
      viewport: options.phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
      hasTouch: options.phone ?? false,
      colorScheme: options.dark ? "dark" : "light",
      locale: options.locale ?? "zh-CN",
    });
    return new Person(context, await context.newPage());
  }

  async signIn(stage: Stage, account: string, via?: string): Promise<void> {
    await this.page.goto(`${stage.url}/${via ? `?via=${via}` : ""}`);
    await this.page.locator("input[name=account]").fill(account);
    await this.page.locator("input[name=password]").fill("123456");
    await this.page.locator("button[type=submit]").click();
    await this.online();
  }

  async online(): Promise<void> {
    await this.page.locator(".connection[data-status=online]").waitFor({ state: "attached" });
    await this.page.locator("a.row").first().waitFor({ state: "attached" });
  }

  async openConversation(name: string): Promise<void> {
    await this.page.locator("a.row", { hasText: name }).first().click();
    await this.page.locator(".head h1", { hasText: name }).waitFor();
  }

  async makeGroup(name: string, ...others: string[]): Promise<void> {
    await this.page.getByRole("button", { name: "发起会话" }).click();
    for (const each of others) await this.page.locator("dialog li", { hasText: each }).locator("input").check();
    await this.page.locator("dialog .field input").fill(name);
    await this.page.getByRole("button", { name: "创建群聊" }).click();
    await this.page.locator(".head h1", { hasText: name }).waitFor();
  }

  async say(text: string): Promise<void> {
    await this.page.locator("textarea").fill(text);
    await this.page.locator("textarea").press("Enter");
  }

  /** hears waits until these texts, all of them and each once, end the conversation. */
  async hears(texts: string[]): Promise<void> {
    await this.page.locator(".message:not(.sending)", { hasText: texts.at(-1) as string }).first().waitFor();
    await expect.poll(async () => (await this.texts()).filter((each) => texts.includes(each)), { timeout: 20_000 }).toEqual(texts);
  }

  async texts(): Promise<string[]> {
    return this.page.locator(".message .text").allInnerTexts();
  }

  async shot(name: string): Promise<void> {
    await this.page.screenshot({ path: resolve(screenshots, `${name}.png`) });
  }

  async close(): Promise<void> {
    await this.context.close();
    expect(this.problems).toEqual([]);
  }
}
