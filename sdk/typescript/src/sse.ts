import { problemOf } from "./errors.js";
import { address, ask, frameOf, lateness, type Attempt, type Frame } from "./transports.js";

/** How often the server shows that a stream is alive, in milliseconds. */
const beat = 15_000;

/** sse hears over server-sent events, read with fetch: an EventSource cannot send the token in a header. */
export async function* sse(attempt: Attempt): AsyncGenerator<Frame, void> {
  attempt.alive(lateness);
  const response = await ask(attempt, address(attempt, "sse"), { headers: { Accept: "text/event-stream" } });
  if (!response.ok) throw await problemOf(response);
  if (!response.body || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    throw new TypeError("no event stream; a proxy in between?");
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const blocks = new Blocks();
  let opened = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done && !opened) throw new TypeError("the stream ended before it began");
      if (done) return;
      attempt.alive(beat + lateness);
      for (const frame of blocks.feed(value)) {
        // Only the first block proves that nobody in between keeps the stream back until it has ended.
        if (!opened) yield { type: "open" };
        opened = true;
        yield frame;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the connection is gone already
  }
}

/** Blocks cuts a stream into its blocks. npm's eventsource-parser passes over those without data, and just those move a quiet
 *  client's position on. */
export class Blocks {
  #rest = "";
  #id: string | undefined;
  #data: string[] = [];

  *feed(chunk: string): Generator<Frame> {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const frame = this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (frame) yield frame;
    }
  }

  #line(line: string): Frame | undefined {
    if (line === "") return this.#end();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    switch (field) {
      case "id":
        this.#id = value;
        break;
      case "data":
        this.#data.push(value);
        break;
      case "retry":
        return { type: "retry", ms: Number(value) };
    }
    return undefined;
  }

  #end(): Frame | undefined {
    const id = this.#id;
    const data = this.#data;
    this.#id = undefined;
    this.#data = [];
    if (data.length > 0) return frameOf(JSON.parse(data.join("\n")));
    return id ? { type: "position", position: id } : undefined;
  }
}
