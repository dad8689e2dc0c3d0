import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import { Client, Code, type EventStream, StreamEndedError, type StreamEvent, type StreamState, type Transport, XuangateError } from "../src/index.js";
import { root } from "./programs.js";

// The list of cases that both SDKs are tried on; test/e2e/README.md says what a case is.

type Text = string | { repeat: string; times: number };
type Said = Text | { content: Text; late?: boolean };
type Step = Record<string, never>;
interface Case {
  name: string;
  transports: (Transport | "auto")[];
  stages?: string[];
  world?: object;
  sdk?: { silence_ms?: number; renew?: boolean };
  steps: Step[];
}
interface World {
  Id: string;
  Url: string;
  Account: string;
  Password: string;
  Token: string;
  Conversation: string;
  Position: string;
}

const { cases } = JSON.parse(readFileSync(resolve(root, "test/e2e/conformance.json"), "utf8")) as { cases: Case[] };
const patience = 20_000;

function textOf(text: Text): string {
  return typeof text === "string" ? text : text.repeat.repeat(text.times);
}

/** until waits for what check answers; look is called whenever something changed. */
class Watched<T> {
  #all: T[] = [];
  #looked = new Set<() => void>();

  put(one: T): void {
    this.#all.push(one);
    for (const look of this.#looked) look();
  }

  get length(): number {
    return this.#all.length;
  }

  async until<R>(what: string, check: (all: T[]) => R | undefined): Promise<R> {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`not within ${patience / 1000} s: ${what}; there was ${JSON.stringify(this.#all).slice(0, 500)}`)), patience);
      const look = () => {
        const found = check(this.#all);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#looked.delete(look);
        done(found);
      };
      this.#looked.add(look);
      look();
    });
  }
}

class Runner {
  readonly #client: Client;
  readonly #heard = new Watched<StreamEvent>();
  readonly #states = new Watched<StreamState>();
  #taken = 0;
  #seen = 0;
  #stream: EventStream | undefined;
  readonly #stage: string;
  readonly #world: World;
  readonly #transport: Transport | "auto";
  readonly #silence: number | undefined;

  constructor(stage: string, world: World, transport: Transport | "auto", { silence_ms: silence, renew }: NonNullable<Case["sdk"]> = {}) {
    this.#stage = stage;
    this.#world = world;
    this.#transport = transport;
    this.#silence = silence;
    this.#client = new Client({ url: world.Url, token: world.Token, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket, ...(renew && { getToken: () => this.#signIn() }) });
  }

  async #signIn(): Promise<string> {
    const { Account: account, Password: password } = this.#world;
    return (await this.#client.login({ account, password, platform: 1 })).Token;
  }

  async step(step: Step): Promise<void> {
    const [key, value] = Object.entries(step)[0] as [string, never];
    const act = this as unknown as Record<string, ((value: never) => Promise<void>) | undefined>;
    if (["listen", "hear", "reset", "state", "using", "end", "send", "call"].includes(key)) await act[key]?.call(this, value);
    else await this.#do(this.#transport === "ws" ? throughTickets(step) : step);
  }

  async #do(step: Step): Promise<void> {
    const answer = await fetch(`${this.#stage}/worlds/${this.#world.Id}/do`, { method: "POST", body: JSON.stringify(step) });
    if (!answer.ok) throw new Error(`${JSON.stringify(step)}: ${await answer.text()}`);
  }

  async listen({ wait = true }: { wait?: boolean }): Promise<void> {
    this.#seen = this.#states.length;
    const stream = this.#client.events({
      after: this.#world.Position,
      waits: { least: 10, most: 50 },
      ...(this.#silence ? { silence: this.#silence } : {}),
      ...(this.#transport === "auto" ? {} : { transports: [this.#transport] }),
      onState: (state) => this.#states.put(state),
    });
    this.#stream = stream;
    (async () => {
      for await (const event of stream) this.#heard.put(event);
    })().catch(() => {}); // its state says why
    if (wait) await this.state("online");
  }

  async hear(all: Said[]): Promise<void> {
    for (const said of all) {
      const event = await this.#next();
      if (event.Event !== "message") throw new Error(`heard ${event.Event} instead of ${JSON.stringify(said).slice(0, 80)}`);
      const want = typeof said === "object" && "content" in said ? said : { content: said };
      expect({ content: event.Data.Content, late: event.Data.Late ?? false }).toEqual({ content: textOf(want.content), late: want.late ?? false });
    }
  }

  async reset(): Promise<void> {
    const event = await this.#next();
    expect(event.Event).toBe("reset");
    expect(event.Position).not.toBe("");
  }

  async #next(): Promise<StreamEvent> {
    const told = (event: StreamEvent) => event.Event === "message" || event.Event === "reset";
    return this.#heard.until("an event", (all) => {
      while (this.#taken < all.length && !told(all[this.#taken] as StreamEvent)) this.#taken++;
      return this.#taken < all.length ? all[this.#taken++] : undefined;
    });
  }

  async state(want: StreamState["status"]): Promise<void> {
    const from = this.#seen;
    this.#seen = await this.#states.until(`state ${want}`, (all) => {
      const at = all.findIndex((state, i) => i >= from && state.status === want);
      return at < 0 ? undefined : all.length;
    });
  }

  async using(transport: Transport): Promise<void> {
    await this.#states.until(`using ${transport}`, (all) => (all.at(-1)?.status === "online" && all.at(-1)?.transport === transport) || undefined);
  }

  async end(want: string): Promise<void> {
    const { error } = await this.#states.until("the end", (all) => all.find((state) => state.status === "ended"));
    expect(nameOf(error)).toBe(want);
  }

  async send({ content, client_msg_id, error }: { content: Text; client_msg_id?: string; error?: string }): Promise<void> {
    const message = { conversation_id: this.#world.Conversation, type: 1, content: textOf(content), ...(client_msg_id ? { client_msg_id } : {}) };
    expect(await resultOf(this.#client.sendMsg(message))).toBe(error ?? "OK");
  }

  async call({ error }: { error?: string }): Promise<void> {
    expect(await resultOf(this.#client.call("/get_conversation_last_30_msg", { conversation_id: this.#world.Conversation }))).toBe(error ?? "OK");
  }

  async finish(): Promise<void> {
    this.#stream?.close();
    if (this.#stream) await this.#states.until("the end", (all) => all.find((state) => state.status === "ended"));
    const unclaimed = await this.#heard.until("what was heard", (all) => all.slice(this.#taken));
    expect(unclaimed.filter((event) => event.Event === "message" || event.Event === "reset")).toEqual([]);
  }
}

/** throughTickets: a browser's WebSocket tells nothing of why it was refused, so what is answered, counted and timed is its ticket. */
function throughTickets(step: Step): Step {
  const [key, value] = Object.entries(step)[0] as [string, { path?: string }];
  return ["answer", "waited", "asked"].includes(key) && value.path === "/notify" ? ({ [key]: { ...value, path: "/notify_ticket" } } as never) : step;
}

function nameOf(error: unknown): string {
  if (error instanceof StreamEndedError && error.reason === "superseded") return "Superseded";
  if (error instanceof XuangateError) return Object.entries(Code).find(([, code]) => code === error.code)?.[0] ?? String(error.code);
  return String(error);
}

async function resultOf(call: Promise<unknown>): Promise<string> {
  return call.then(() => "OK", nameOf);
}

for (const each of cases) {
  describe.concurrent(each.name, () => {
    test.each(each.transports)("%s", async (transport) => {
      const stage = inject("stage");
      const made = await fetch(`${stage}/worlds`, { method: "POST", body: JSON.stringify(each.world ?? {}) });
      const world = (await made.json()) as World;
      const runner = new Runner(stage, world, transport, each.sdk);
      try {
        for (const step of each.steps) await runner.step(step);
        await runner.finish();
      } finally {
        await fetch(`${stage}/worlds/${world.Id}`, { method: "DELETE" });
      }
    });
  });
}
