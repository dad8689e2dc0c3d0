import type { Schemas } from "./client.js";
import { noAnswer } from "./errors.js";
import type { Tokens } from "./tokens.js";

/** The transports of /notify. */
export type Transport = Schemas["Protocol"];

/** What a transport hears. `open` comes once, first; an end that is not thrown is one to come back from. */
export type Frame =
  | { type: "open" }
  | { type: "event"; kind: string; position: string; data: unknown }
  | { type: "position"; position: string }
  /** Come back after so many milliseconds when this connection has ended. */
  | { type: "retry"; ms: number };

/** Where a client speaks to, and with what. */
export interface Gateway {
  url: string;
  tokens: Tokens;
  fetch: typeof fetch;
  WebSocket: typeof WebSocket | undefined;
}

/** One try of one transport. */
export interface Attempt extends Gateway {
  token: string | undefined;
  after: string | undefined;
  all: boolean;
  /** Ends the attempt; whatever is under way then throws. */
  signal: AbortSignal;
  /** Called whenever the server was heard, with how many milliseconds it may then be silent. */
  alive(silence: number): void;
}

/** Beyond its beat, a connection may be this late before it counts as dead, in milliseconds. Without it a slow network looks like none. */
export const lateness = 10_000;

/** address is that of /notify for an attempt. No token is ever in it. */
export function address(attempt: Attempt, protocol: Transport, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({ protoc: protocol, ...more });
  if (attempt.all) query.set("events", "all");
  if (attempt.after) query.set("after", attempt.after);
  return `${attempt.url}/notify?${query}`;
}

/** ask sends a request of an attempt with its token. That nobody answers is thrown as NoAnswer. */
export async function ask(attempt: Attempt, url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (attempt.token) headers.set("Authorization", `Bearer ${attempt.token}`);
  try {
    return await attempt.fetch(url, { ...init, headers, cache: "no-store", signal: attempt.signal });
  } catch (error) {
    throw attempt.signal.aborted ? attempt.signal.reason : noAnswer(error);
  }
}

/** frameOf is what one JSON value of the server tells: an Event, or a MsgData with its position. */
export function frameOf(value: Schemas["Event"] | Schemas["MsgData"]): Frame {
  const position = value.Position ?? "";
  if (!("Event" in value)) return { type: "event", kind: "message", position, data: value };
  if (value.Event === "position") return { type: "position", position };
  return { type: "event", kind: value.Event, position, data: value.Data };
}
