import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Client, type StreamEvent } from "../src/index.js";

// A machine that sleeps: the clock jumps, timers stood still, and a connection that looks open is long dead.

/** A server whose streams open, tell one event each, and then say nothing. */
class Silent {
  readonly after: (string | null)[] = [];
  readonly cut: boolean[] = [];

  readonly fetch = (async (url: string | URL, init?: RequestInit) => {
    const n = this.after.push(new URL(url).searchParams.get("after") ?? new Headers(init?.headers).get("Last-Event-ID"));
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => {
        const event = { Event: "message", Position: `p${n}`, Data: { Content: String(n) } };
        stream.enqueue(new TextEncoder().encode(`id: p${n}\nevent: message\ndata: ${JSON.stringify(event)}\n\n`));
        init?.signal?.addEventListener("abort", () => {
          this.cut[n - 1] = true;
          stream.error(init.signal?.reason);
        });
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }) as typeof fetch;
}

const page = new EventTarget();
const looked = Object.assign(new EventTarget(), { visibilityState: "visible" });
let server: Silent;
let heard: StreamEvent[];
let status: string;
let close: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("document", looked);
  server = new Silent();
  heard = [];
  const stream = new Client({ url: "http://chat.example.com", token: "t", fetch: server.fetch }).events({ transports: ["sse"], onState: (state) => (status = state.status) });
  close = () => stream.close();
  void (async () => {
    for await (const event of stream) heard.push(event);
  })().catch(() => {});
});
afterEach(() => {
  close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const has = (n: number) => vi.waitFor(() => expect(heard.map(({ Position }) => Position)).toEqual(Array.from({ length: n }, (_, i) => `p${i + 1}`)));

test("a page that is looked at after a sleep does not wait for its timers", async () => {
  await has(1);
  vi.setSystemTime(Date.now() + 3_600_000); // the clock alone: the timers stood still
  looked.dispatchEvent(new Event("visibilitychange"));
  await vi.waitFor(() => expect(server.cut[0]).toBe(true));
  await vi.advanceTimersByTimeAsync(2_000);
  await has(2);
  expect(server.after).toEqual([null, "p1"]);
});

test("a page that was only hidden for a moment keeps its connection", async () => {
  await has(1);
  vi.setSystemTime(Date.now() + 5_000);
  looked.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(server.after).toEqual([null]);
});

test("without a page, the silence itself tells, and the stream goes on where it was", async () => {
  await has(1);
  await vi.advanceTimersByTimeAsync(24_000); // the beat is 15 s, and it may be 10 s late
  expect(server.after).toEqual([null]);
  await vi.advanceTimersByTimeAsync(4_000);
  await has(2);
  expect(server.after).toEqual([null, "p1"]);
});

/** Lets happen what needs no time, until something is so. */
const atOnce = async (so: () => boolean) => {
  for (let turn = 0; turn < 1000 && !so(); turn++) await vi.advanceTimersByTimeAsync(0);
  expect(so()).toBe(true);
};

test("the network's return ends a wait at once", async () => {
  await has(1);
  page.dispatchEvent(new Event("offline"));
  await atOnce(() => status === "waiting");
  page.dispatchEvent(new Event("online"));
  await atOnce(() => heard.length === 2);
  expect(server.after).toEqual([null, "p1"]);
});
