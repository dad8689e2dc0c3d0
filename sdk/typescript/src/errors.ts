/** What came of a call that did not work: the API's codes, and one of our own. */
export const Code = {
  InvalidParameter: 10001,
  Unreachable: 10002,
  NotAllowed: 10003,
  TooSlow: 10004,
  NotFound: 10005,
  Conflict: 10006,
  Unsupported: 10007,
  TooLarge: 10008,
  TooManyRequests: 10009,
  PositionLost: 10010,
  MethodNotAllowed: 10011,
  InvalidToken: 10101,
  SignedInElsewhere: 10103,
  WrongPassword: 10104,
  AccountLocked: 10105,
  AccountDisabled: 10106,
  Internal: 10500,
  /** No answer came, or one that is not the API's: the network, a proxy, a wrong address. */
  NoAnswer: -1,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/** What is known of an error beside its code and sentence. */
export interface ErrorDetails {
  /** HTTP status; 0 when there was no answer. */
  status?: number;
  /** After how many milliseconds to try again, where the server said so. */
  retryAfter?: number;
  /** Names the request in the server's log. */
  requestId?: string;
  cause?: unknown;
}

/** A call or a stream that did not work. `code` is one of {@link Code}, `message` a sentence that says what to do. */
export class XuangateError extends Error {
  readonly code: Code;
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly requestId: string | undefined;

  constructor(code: Code, sentence: string, details: ErrorDetails = {}) {
    super(sentence, { cause: details.cause });
    this.name = "XuangateError";
    this.code = code;
    this.status = details.status ?? 0;
    this.retryAfter = details.retryAfter;
    this.requestId = details.requestId;
  }

  /** The server's sentence; the same as `message`. */
  get sentence(): string {
    return this.message;
  }
}

/** Why a stream has ended for good. */
export type EndReason = "kickoff" | "revoked" | "expired" | "superseded";

const ends: Record<EndReason, [Code, string]> = {
  kickoff: [Code.SignedInElsewhere, "signed in elsewhere on the same platform; sign in again to continue here"],
  revoked: [Code.InvalidToken, "the token was revoked; sign in again"],
  expired: [Code.InvalidToken, "the token has expired; sign in again"],
  superseded: [Code.TooManyRequests, "more streams were opened than one user may have, and this was the oldest; close some"],
};

/** A stream that the server has ended for good. Coming back with the same token would end the same way. */
export class StreamEndedError extends XuangateError {
  readonly reason: EndReason;

  constructor(reason: EndReason, cause?: unknown) {
    super(...ends[reason], { cause, status: cause instanceof XuangateError ? cause.status : 0 });
    this.name = "StreamEndedError";
    this.reason = reason;
  }
}

export function isEndReason(kind: string): kind is EndReason {
  return Object.hasOwn(ends, kind);
}

/** problemOf reads what an answer other than a success says. It leaves the response's body used. */
export async function problemOf(response: Response): Promise<XuangateError> {
  const details = {
    status: response.status,
    retryAfter: retryAfterOf(response),
    requestId: response.headers.get("X-Request-Id") ?? undefined,
  };
  try {
    const { code, error } = (await response.json()) as { code?: unknown; error?: unknown };
    if (typeof code === "number" && typeof error === "string") {
      return new XuangateError(code as Code, error, details);
    }
  } catch {
    // Not JSON: below.
  }
  return new XuangateError(Code.NoAnswer, `HTTP ${response.status} that is not the API's; is the address right, is a proxy in between?`, details);
}

/** retryAfterOf is the header Retry-After in milliseconds, given in seconds or as a date. */
function retryAfterOf(response: Response): number | undefined {
  const text = response.headers.get("Retry-After");
  if (!text) return undefined;
  const seconds = Number(text);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** noAnswer is the error of a request that nobody answered. */
export function noAnswer(cause: unknown): XuangateError {
  const timedOut = cause instanceof DOMException && cause.name === "TimeoutError";
  return new XuangateError(
    Code.NoAnswer,
    timedOut ? "no answer in time; try again" : "the server cannot be reached; check the network and the address",
    { cause },
  );
}
