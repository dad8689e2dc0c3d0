import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, inject, test } from "vitest";
import { Blocks } from "../src/sse.js";
import { backoff } from "../src/backoff.js";
import { Client, Code, StreamEndedError, XuangateError } from "../src/index.js";
import type { Frame } from "../src/transports.js";

const over: (() => void)[] = [];
afterEach(() => {
  for (const end of over.splice(0)) end();
});

/** serve answers as it is told, for what no gateway does on request. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  over.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function problem(response: ServerResponse, status: number, code: number, headers = {}): void {
  response.writeHead(status, { "Content-Type": "application/json", "X-Request-Id": "r-1", ...headers });
  response.end(JSON.stringify({ code, error: "a sentence" }));
}

function ok(response: ServerResponse, data: unknown): void {
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ code: 0, data }));
}

describe("a client", () => {
  test("signs in, uploads and downloads with progress, and signs out", async () => {
    const client = new Client({ url: inject("gateway") });
    const login = await client.login({ account: "carol", password: "123456", platform: 7 });
    expect(login.User.Account).toBe("carol");
    const { ConversationId } = await client.call("/create_conversation", { conversation_type: 1, members: ["7"] });
    const bytes = new Uint8Array(300_000).map((_, i) => i % 251);
    const done: number[] = [];
    const file = await client.uploadFile(ConversationId, new Blob([bytes]), { name: "数据.bin", onProgress: (n) => done.push(n) });
    expect(file).toMatchObject({ Name: "数据.bin", Size: bytes.length });
    const back = await client.downloadFile(file, { onProgress: (n, total) => done.push(n, total) });
    expect(new Uint8Array(await back.arrayBuffer())).toEqual(bytes);
    expect(done.at(0)).toBe(bytes.length);
    expect(done.slice(-2)).toEqual([bytes.length, bytes.length]);
    const { data } = await client.api.POST("/get_me"); // the same, as openapi-fetch has it
    expect(data?.data.Account).toBe("carol");
    await client.logout();
    expect(client.token).toBeUndefined();
  });

  test("throws the API's refusals with their code, sentence and request", async () => {
    const client = new Client({ url: inject("gateway"), token: "xg_none" });
    const error = await client.call("/get_me").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(XuangateError);
    expect(error).toMatchObject({ code: Code.InvalidToken, status: 401, sentence: expect.stringContaining("sign in"), requestId: expect.stringMatching(/./) });
  });

  test("asks for another token once, for all calls that need one, and gives up when there is none", async () => {
    let asked = 0;
    const url = await serve((request, response) => (request.headers.authorization === "Bearer new" ? ok(response, {}) : problem(response, 401, Code.InvalidToken)));
    const client = new Client({ url, token: "old", getToken: () => (asked++, "new") });
    await Promise.all([client.call("/get_me"), client.call("/get_me"), client.call("/get_me")]);
    expect(asked).toBe(1);
    const hopeless = new Client({ url, token: "old", getToken: () => "old" });
    await expect(hopeless.call("/get_me")).rejects.toMatchObject({ code: Code.InvalidToken });
    await expect(hopeless.events()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Code.InvalidToken });
  });

  test("does again what is safe, and nothing else", async () => {
    const asked: Record<string, number> = {};
    const url = await serve((request, response) => {
      const path = request.url ?? "";
      asked[path] = (asked[path] ?? 0) + 1;
      if (asked[path] === 1) problem(response, 503, Code.Unreachable);
      else ok(response, { MsgID: "m" });
    });
    const client = new Client({ url, token: "t" });
    await client.call("/get_me");
    await client.sendMsg({ conversation_id: "c", content: "x" });
    await expect(client.call("/send_msg", { conversation_id: "c", content: "x" })).resolves.toBeDefined(); // the second time here
    await expect(client.call("/create_conversation", { conversation_type: 0 })).rejects.toMatchObject({ code: Code.Unreachable });
    expect(asked).toEqual({ "/get_me": 2, "/send_msg": 3, "/create_conversation": 1 });
  });

  test("tells a server that is not there from a refusal", async () => {
    const url = await serve(() => {});
    over.splice(0).forEach((end) => end());
    await expect(new Client({ url, token: "t", retries: 0 }).call("/get_me")).rejects.toMatchObject({ code: Code.NoAnswer, status: 0 });
  });

  test("ends a call when it is told to, as the platform does it", async () => {
    const url = await serve(() => {});
    const stop = new AbortController();
    const call = new Client({ url, token: "t" }).call("/get_me", undefined, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
  });
});

describe("a stream", () => {
  test("whose token has expired goes on with another, and ends without one", async () => {
    const tokens: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      tokens.push(request.headers.authorization);
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      if (tokens.length === 1) response.end('id: 1\n\nid: 2\nevent: expired\ndata: {"Event":"expired","Position":"2"}\n\n');
      else response.write('id: 3\nevent: message\ndata: {"Event":"message","Position":"3","Data":{"MsgId":"m"}}\n\n');
    });
    let fresh: string | undefined = "second";
    const client = new Client({ url, token: "first", getToken: () => fresh });
    const stream = client.events({ transports: ["sse"], waits: { least: 1, most: 2 } });
    for await (const event of stream) {
      expect(event.Position).toBe("3");
      break;
    }
    expect(tokens).toEqual(["Bearer first", "Bearer second"]);
    tokens.length = 0;
    fresh = undefined;
    await expect(client.events({ transports: ["sse"] })[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(StreamEndedError);
  });

  test("tells a listener its events and its end, once", async () => {
    const client = new Client({ url: inject("gateway") });
    await client.login({ account: "dave", password: "123456", platform: 8 });
    const heard: string[] = [];
    await new Promise<void>((done) => {
      const stop = client.events({ onState: ({ status }) => status === "online" && stop() }).listen({ user: () => heard.push("user"), end: (error) => (heard.push(`end ${String(error)}`), done()) });
    });
    expect(heard.filter((each) => each.startsWith("end"))).toEqual(["end undefined"]);
  });

  test("of blocks is read however it is cut", () => {
    const text = 'id: 1\r\nretry: 2000\r\n\r\n: ping\nid: 2\n\nid: 3\nevent: message\ndata: {"Event":"message",\ndata: "Position":"3"}\n\n';
    const want: Frame[] = [
      { type: "retry", ms: 2000 },
      { type: "position", position: "1" },
      { type: "position", position: "2" },
      { type: "event", kind: "message", position: "3", data: undefined },
    ];
    for (const size of [1, 2, 3, 7, text.length]) {
      const blocks = new Blocks();
      const got: Frame[] = [];
      for (let i = 0; i < text.length; i += size) got.push(...blocks.feed(text.slice(i, i + size)));
      expect(got).toEqual(want);
    }
  });

  test("waits between the least and a bound that doubles", () => {
    for (let failures = 0; failures < 30; failures++) {
      const wait = backoff(failures);
      expect(wait).toBeGreaterThanOrEqual(500);
      expect(wait).toBeLessThanOrEqual(Math.min(20_000, 500 * 2 ** failures));
    }
  });
});
