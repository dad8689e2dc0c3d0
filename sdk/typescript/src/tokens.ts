import { Code, XuangateError } from "./errors.js";

/** Asked for a token when there is none, and for another one when `refused` was refused. Answer nothing when there is no
 *  fresh one: then calls fail and streams end, and nobody is asked again until the next call. */
export type TokenCallback = (refused?: string) => string | undefined | Promise<string | undefined>;

/** Tokens keeps the token that requests carry, and has one question under way at a time. */
export class Tokens {
  current: string | undefined;
  readonly #callback: TokenCallback | undefined;
  #asking: Promise<string | undefined> | undefined;

  constructor(current: string | undefined, callback: TokenCallback | undefined) {
    this.current = current;
    this.#callback = callback;
  }

  /** get is the token to send, or undefined where nobody has one. */
  async get(): Promise<string | undefined> {
    return this.current ?? this.#ask(undefined);
  }

  /** renew is a token other than the refused one, or undefined where there is none. */
  async renew(refused: string | undefined): Promise<string | undefined> {
    if (this.current !== refused) return this.current; // somebody has been here
    const fresh = await this.#ask(refused);
    return fresh === refused ? undefined : fresh;
  }

  /** use acts with the token, and once more with another if the first has ended and there is one. */
  async use<T>(act: (token: string) => Promise<T>): Promise<T> {
    const token = (await this.get()) ?? "";
    try {
      return await act(token);
    } catch (error) {
      const fresh = error instanceof XuangateError && error.code === Code.InvalidToken ? await this.renew(token) : undefined;
      if (!fresh) throw error;
      return act(fresh);
    }
  }

  #ask(refused: string | undefined): Promise<string | undefined> {
    if (!this.#callback) return Promise.resolve(undefined);
    this.#asking ??= (async () => {
      try {
        const fresh = await this.#callback?.(refused);
        if (fresh) this.current = fresh;
        return fresh;
      } finally {
        this.#asking = undefined;
      }
    })();
    return this.#asking;
  }
}
