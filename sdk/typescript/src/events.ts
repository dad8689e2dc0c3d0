import { backoff, leastWait, mostWait, pause, type Waits } from "./backoff.js";
import type { Schemas } from "./client.js";
import { Code, isEndReason, StreamEndedError, XuangateError } from "./errors.js";
import { isOffline, watchPage } from "./page.js";
import { poll } from "./poll.js";
import { sse } from "./sse.js";
import type { Attempt, Frame, Gateway, Transport } from "./transports.js";
import { ws } from "./ws.js";

/** What happened. After `reset` some of it is lost: reload through the history operations. Any kind that a later server may tell
 *  comes as it is. */
export type StreamEvent =
  | { Event: "message"; Position: string; Data: Schemas["MsgData"] }
  | { Event: "conversation"; Position: string; Data: Schemas["ConversationEvent"] }
  | { Event: "user"; Position: string; Data: Schemas["User"] }
  | { Event: "notification"; Position: string; Data: Schemas["Notification"] }
  | { Event: "upstream"; Position: string; Data: Schemas["Upstream"] }
  | { Event: "reset"; Position: string; Data?: undefined };

/** How a stream is. */
export interface StreamState {
  /** `connecting`; `online`: it hears; `waiting` to come back; `ended` for good. */
  status: "connecting" | "online" | "waiting" | "ended";
  /** The transport that is tried, or that works. */
  transport?: Transport;
  /** While waiting, when it comes back: milliseconds as Date.now() counts them. */
  retryAt?: number;
  /** While waiting, that the platform knows of no network. */
  offline?: boolean;
  /** Why it is waiting or has ended, where something went wrong. */
  error?: unknown;
}

export interface EventsOptions {
  /** The position to go on after, as an earlier event or stream had it. Left out: from now on. */
  after?: string | undefined;
  /** Every kind of event (the default), or with false messages alone. */
  all?: boolean;
  /** The transports to use, the best first; left out: sse, ws, poll. */
  transports?: readonly Transport[];
  /** Ends the stream. */
  signal?: AbortSignal;
  /** Called whenever the stream's state changes. */
  onState?: (state: StreamState) => void;
  /** How long it is waited before coming back, in milliseconds; 500 to 20,000. What the server asks for is never shortened. */
  waits?: Waits;
  /** How long the server may be silent before the connection counts as dead, in milliseconds. Left out: its beat and 10 s. */
  silence?: number;
}

/** What a listener may hear; see {@link StreamEvent}. */
export type Listener = { [E in StreamEvent as E["Event"]]?: (data: E["Data"], position: string) => void } & {
  /** Called once, when the stream has ended for good: with the reason, or without when it was closed. */
  end?: (error?: unknown) => void;
};

const openers: Record<Transport, (attempt: Attempt) => AsyncGenerator<Frame, void>> = { sse, ws, poll };

/** Which transport got through to a gateway last. Without it every stream behind a bad proxy finds that out again. */
const worked = new Map<string, Transport>();

/** mostSeen is how many positions are remembered, to tell what comes twice. Without a bound a page that stays open for weeks
 *  fills up with them. */
const mostSeen = 1024;

/** steady is how long a connection must have been good for the next wait to be short again, in milliseconds. Without it a server
 *  that takes connections and drops them is asked without pause. */
const steady = 5_000;

/** What one connection came to. */
interface Outcome {
  opened: boolean;
  /** What the server asked to wait, in milliseconds. */
  hint?: number;
  problem?: unknown;
}

/**
 * An EventStream hears events over whichever transport gets through, comes back by itself, and goes on where it was. It ends when it
 * is closed, or with an error when coming back would be of no use: a {@link StreamEndedError}, or a refusal of the request.
 *
 * Iterate it (`for await`) or have a listener called (`listen`), once.
 */
export class EventStream implements AsyncIterable<StreamEvent> {
  /** The position of the last event that was handed out, or one beyond it where nothing happened for us in between. Keep it to go
   *  on after it in another stream. */
  position: string | undefined;
  readonly #gateway: Gateway;
  readonly #options: EventsOptions;
  readonly #transports: readonly Transport[];
  readonly #waits: Waits;
  readonly #seen = new Set<string>();
  readonly #closed = new AbortController();
  #state: StreamState = { status: "connecting" };
  #attempt = new AbortController();
  #wait = new AbortController();
  #choice: number;
  #deaf: ReturnType<typeof setTimeout> | undefined; // fires when the server was silent for too long
  #deafAt = 0; // and when it should, for timers stand still while a machine sleeps
  #started = false;

  constructor(gateway: Gateway, options: EventsOptions) {
    this.#gateway = gateway;
    this.#options = options;
    this.#transports = options.transports ?? ["sse", "ws", "poll"];
    this.#waits = options.waits ?? { least: leastWait, most: mostWait };
    this.#choice = Math.max(0, this.#transports.indexOf(worked.get(gateway.url) ?? "sse"));
    this.position = options.after;
    if (options.signal?.aborted) this.close();
    options.signal?.addEventListener("abort", () => this.close(), { once: true, signal: this.#closed.signal });
  }

  get state(): StreamState {
    return this.#state;
  }

  /** close ends the stream, and whatever iterates it. */
  close(): void {
    this.#closed.abort();
    this.#attempt.abort();
    this.#wait.abort();
  }

  /** listen has the listener called for what happens, in order, one call after the other. It answers a function that ends it. An
   *  error thrown by the listener is reported as any uncaught one, and the stream goes on. */
  listen(listener: Listener): () => void {
    const hear = async () => {
      for await (const event of this) {
        try {
          (listener[event.Event] as ((data: unknown, position: string) => void) | undefined)?.(event.Data, event.Position);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    };
    hear().then(
      () => listener.end?.(),
      (error: unknown) => listener.end?.(error),
    );
    return () => this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void> {
    if (this.#started) throw new TypeError("a stream is iterated or listened to once; ask events() for another");
    this.#started = true;
    const unwatch = watchPage({
      awake: (changed) => this.#awake(changed),
      offline: () => this.#attempt.abort(new Error("the network is gone")),
    });
    let error: unknown;
    try {
      yield* this.#connections();
    } catch (reason) {
      error = reason;
      throw reason;
    } finally {
      unwatch();
      this.close();
      this.#tell({ status: "ended", error });
    }
  }

  /** One connection after the other, until the stream is closed or coming back is of no use. */
  async *#connections(): AsyncGenerator<StreamEvent, void> {
    for (let failures = 0; !this.#closed.signal.aborted; ) {
      const transport = this.#transports[this.#choice % this.#transports.length] ?? "sse";
      this.#tell({ status: "connecting", transport });
      const began = Date.now();
      const outcome: Outcome = { opened: false };
      yield* this.#connection(transport, outcome);
      if (this.#closed.signal.aborted) return;
      if (isLasting(outcome.problem)) throw outcome.problem;
      if (!outcome.opened && isBlocked(outcome.problem) && !isOffline()) this.#choice++;
      failures = outcome.opened && Date.now() - began >= steady ? 0 : failures + 1;
      await this.#rest(outcome, failures);
    }
  }

  /** One connection, from its token to its end; outcome tells afterwards how it went. */
  async *#connection(transport: Transport, outcome: Outcome): AsyncGenerator<StreamEvent, void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    let token: string | undefined;
    try {
      token = await this.#gateway.tokens.get();
      if (!token) throw new XuangateError(Code.InvalidToken, "there is no token; sign in first");
      const frames = openers[transport]({
        ...this.#gateway, token, after: this.position, all: this.#options.all ?? true, signal: attempt.signal,
        alive: (silence) => this.#alive(attempt, silence),
      });
      for await (const frame of frames) {
        if (attempt.signal.aborted) throw attempt.signal.reason;
        switch (frame.type) {
          case "open":
            outcome.opened = true;
            worked.set(this.#gateway.url, transport);
            this.#tell({ status: "online", transport });
            break;
          case "retry":
            outcome.hint = frame.ms;
            break;
          case "position":
            this.position = frame.position;
            break;
          case "event":
            yield* this.#take(frame);
        }
      }
    } catch (problem) {
      outcome.problem = await this.#renewed(problem, token);
    } finally {
      clearTimeout(this.#deaf);
      attempt.abort();
    }
  }

  /** take hands an event out, unless it was before, and ends the connection with the stream's last word. */
  *#take(frame: Extract<Frame, { type: "event" }>): Generator<StreamEvent, void> {
    if (isEndReason(frame.kind)) throw new StreamEndedError(frame.kind);
    if (frame.kind === "reset") this.#seen.clear();
    else if (this.#seen.has(frame.position)) return;
    else this.#seen.add(frame.position);
    if (this.#seen.size > mostSeen) this.#seen.delete(this.#seen.values().next().value ?? "");
    this.position = frame.position;
    yield { Event: frame.kind, Position: frame.position, Data: frame.data } as StreamEvent;
  }

  /** renewed is the problem that is left once another token was asked for where the old one has ended: none if there is one. */
  async #renewed(problem: unknown, token: string | undefined): Promise<unknown> {
    const ended = problem instanceof StreamEndedError ? problem.reason === "expired" : problem instanceof XuangateError && problem.code === Code.InvalidToken;
    if (!ended || this.#closed.signal.aborted) return problem;
    try {
      return (await this.#gateway.tokens.renew(token)) ? undefined : problem;
    } catch (error) {
      return error; // the callback's own: it is asked again after a while
    }
  }

  /** alive puts off the moment at which a silent connection counts as dead. */
  #alive(attempt: AbortController, silence: number): void {
    clearTimeout(this.#deaf);
    const ms = this.#options.silence ?? silence;
    this.#deafAt = Date.now() + ms;
    this.#deaf = setTimeout(() => attempt.abort(new Error("the server was not heard for too long")), ms);
  }

  /** awake makes up for time that the page was frozen, or tries another network at once. */
  #awake(changed: boolean): void {
    if (changed) this.#choice = 0;
    if (changed || Date.now() >= this.#deafAt) this.#attempt.abort(new Error("the page was asleep"));
    this.#wait.abort();
  }

  /** rest waits before the next connection, as long as the server asks for or else until the page has news. */
  async #rest({ hint, problem }: Outcome, failures: number): Promise<void> {
    const asked = problem instanceof XuangateError ? Math.max(hint ?? 0, problem.retryAfter ?? 0) : (hint ?? 0);
    const ms = Math.max(backoff(failures, this.#waits), asked > 0 ? asked + Math.random() * this.#waits.least : 0);
    this.#tell({ status: "waiting", retryAt: Date.now() + ms, offline: isOffline(), error: problem });
    this.#wait = new AbortController();
    if (this.#closed.signal.aborted) return;
    await pause(ms, asked > 0 ? this.#closed.signal : this.#wait.signal);
  }

  #tell(state: StreamState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }
}

/** isLasting says that coming back would be answered the same way. */
function isLasting(problem: unknown): boolean {
  if (problem instanceof StreamEndedError) return true;
  if (!(problem instanceof XuangateError)) return false;
  switch (problem.code) {
    case Code.NoAnswer:
    case Code.Unreachable:
    case Code.TooSlow:
    case Code.TooManyRequests:
    case Code.Internal:
      return false;
  }
  return true;
}

/** isBlocked says that somebody in between seems not to let a transport through: there was an answer that was none, or silence, but
 *  no word of the API and no lack of a network, which would stop every transport. */
function isBlocked(problem: unknown): boolean {
  if (problem instanceof XuangateError) return problem.code === Code.NoAnswer && problem.status > 0;
  return problem !== undefined;
}
