import type { Schemas } from "./client.js";
import { isEndReason, problemOf } from "./errors.js";
import { poll } from "./poll.js";
import { address, ask, frameOf, lateness, type Attempt, type Frame } from "./transports.js";

/** How often the server shows that a connection is alive, in milliseconds. */
const beat = 25_000;

/** mostWaiting bounds the frames that wait for a slow listener. A WebSocket cannot be told to slow down, so without it they take
 *  all memory; with it the connection is given up and begun again from where the listener is. */
const mostWaiting = 10_000;

/** The close code of a server that restarts. */
const serviceRestart = 1012;

/** ws hears over a WebSocket. Browsers cannot set its headers, so it is opened with a ticket, good for once and a moment. */
export async function* ws(attempt: Attempt): AsyncGenerator<Frame, void> {
  if (!attempt.WebSocket) throw new TypeError("this platform has no WebSocket; pass one to the Client");
  if (!attempt.after) yield* whereItBegins(attempt);
  attempt.alive(lateness);
  const ticket = await ticketFor(attempt);
  attempt.signal.throwIfAborted();
  const url = address(attempt, "ws", { ticket }).replace(/^http/, "ws");
  const socket = new attempt.WebSocket(url);
  const heard = new Inbox();
  socket.onopen = () => heard.put({ type: "open" });
  socket.onmessage = ({ data }) => {
    attempt.alive(beat + lateness);
    heard.put(frameOf(JSON.parse(String(data))));
  };
  socket.onerror = () => {}; // a close follows, and says what is to be known; npm's ws throws an error that nobody takes
  socket.onclose = ({ code, reason }) => heard.close(code, reason);
  const give = () => heard.end({ error: attempt.signal.reason });
  attempt.signal.addEventListener("abort", give);
  try {
    yield* heard.frames();
  } finally {
    attempt.signal.removeEventListener("abort", give);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/** whereItBegins asks by a poll that waits for nothing: a WebSocket tells its position with the first event only, and if it broke before
 *  that, what was said in between would be lost. */
async function* whereItBegins(attempt: Attempt): AsyncGenerator<Frame, void> {
  for await (const frame of poll(attempt)) {
    if (frame.type === "open") continue;
    yield frame;
    if (frame.type === "position") return;
  }
}

async function ticketFor(attempt: Attempt): Promise<string> {
  const response = await ask(attempt, `${attempt.url}/notify_ticket`, { method: "POST" });
  if (!response.headers.get("Content-Type")?.startsWith("application/json") || !response.ok) throw await problemOf(response);
  const { data } = (await response.json()) as { data: Schemas["NotifyTicket"] };
  return data.Ticket;
}

/** An Inbox holds what a WebSocket has told until it is asked for. */
class Inbox {
  #frames: Frame[] = [];
  #ended: { error?: unknown } | undefined;
  #wake = () => {};

  put(frame: Frame): void {
    if (this.#frames.length >= mostWaiting) this.end({ error: new Error("the listener is too slow") });
    else this.#frames.push(frame);
    this.#wake();
  }

  /** close ends it as a close frame says: for good, until the server is back, or because the connection broke. */
  close(code: number, reason: string): void {
    const retry = code === serviceRestart ? /^retry_ms=(\d+)$/.exec(reason) : null;
    if (retry) this.#frames.push({ type: "retry", ms: Number(retry[1]) });
    if (isEndReason(reason)) this.#frames.push({ type: "event", kind: reason, position: "", data: undefined });
    this.end(retry ? {} : { error: new Error(`the connection was closed (${code} ${reason})`) });
  }

  /** end has what waits taken first, and then the error thrown. */
  end(how: { error?: unknown }): void {
    this.#ended ??= how;
    this.#wake();
  }

  async *frames(): AsyncGenerator<Frame, void> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame) yield frame;
      else if (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
      else if ("error" in this.#ended) throw this.#ended.error;
      else return;
    }
  }
}
