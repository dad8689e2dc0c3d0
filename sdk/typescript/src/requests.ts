import { backoff, pause } from "./backoff.js";
import { Code, noAnswer, problemOf, XuangateError } from "./errors.js";
import type { Tokens } from "./tokens.js";

/** mostPatience is the longest Retry-After that a call waits out itself, in milliseconds; a longer one is the caller's to know. */
const mostPatience = 30_000;

/** Operations that change nothing, or the same thing however often they are done. */
const repeatable = /^\/((get|check)_\w+|(star|hide|mute|join)_conversation|set_(status|conversation_\w+)|save_settings|invite_members|notify_ticket|openapi\.json|files\/.*)$/;

/** Operations that need no token; one that has run out must not stand in their way. */
const open = new Set(["/login", "/livez", "/readyz", "/openapi.json"]);

/** Requests sends calls: with the token, for so long, and again where that is safe. */
export class Requests {
  readonly #tokens: Tokens;
  readonly #fetch: typeof fetch;
  readonly #timeout: number;
  readonly #retries: number;

  constructor(tokens: Tokens, ask: typeof fetch, timeout: number, retries: number) {
    this.#tokens = tokens;
    this.#fetch = ask;
    this.#timeout = timeout;
    this.#retries = retries;
  }

  /** send answers whatever the server answered last; only what is no answer at all is thrown, as NoAnswer. An abort is thrown as
   *  the platform does it. */
  async send(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    const body = await bodyOf(request);
    const safe = repeatable.test(path) || (path === "/send_msg" && !!body?.includes('"client_msg_id"'));
    let token = open.has(path) ? undefined : await this.#tokens.get();
    let renewed = false;
    for (let failures = 0; ; failures++) {
      let response: Response | undefined;
      let problem: XuangateError;
      try {
        response = await this.#once(request, body, token);
        if (response.ok) return response;
        problem = await problemOf(response.clone());
      } catch (error) {
        if (request.signal.aborted) throw request.signal.reason;
        problem = noAnswer(error);
      }
      if (problem.code === Code.InvalidToken && !renewed) {
        renewed = true;
        token = await this.#tokens.renew(token);
        if (token) continue;
      }
      const wait = Math.max(backoff(failures), problem.retryAfter ?? 0);
      if (failures >= this.#retries || wait > mostPatience || !again(problem, safe)) {
        if (response) return response;
        throw problem;
      }
      await pause(wait, request.signal);
      request.signal.throwIfAborted();
    }
  }

  #once(request: Request, body: string | undefined, token: string | undefined): Promise<Response> {
    const headers = new Headers(request.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    return this.#fetch(request.url, {
      method: request.method,
      headers,
      body,
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(this.#timeout)]),
    });
  }
}

/** again says whether a call may be repeated: too many requests were refused before anything was done. */
function again(problem: XuangateError, safe: boolean): boolean {
  switch (problem.code) {
    case Code.TooManyRequests:
      return true;
    case Code.NoAnswer:
    case Code.Unreachable:
    case Code.TooSlow:
      return safe;
  }
  return false;
}

async function bodyOf(request: Request): Promise<string | undefined> {
  return request.method === "GET" || request.method === "HEAD" ? undefined : request.text();
}
