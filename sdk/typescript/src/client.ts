import createFetchClient, { type Client as FetchClient } from "openapi-fetch";
import type { components, paths } from "./api.gen.js";
import { EventStream, type EventsOptions } from "./events.js";
import { Code, problemOf, XuangateError } from "./errors.js";
import { download, upload, type TransferOptions } from "./files.js";
import { Requests } from "./requests.js";
import { Tokens, type TokenCallback } from "./tokens.js";

/** The API's types, by the names of its description. */
export type Schemas = components["schemas"];

/** Paths of operations that are called with POST. */
export type Operation = { [P in keyof paths]: paths[P] extends { post: object } ? P : never }[keyof paths];
type Post<P extends Operation> = NonNullable<paths[P]["post"]>;
/** What an operation takes. */
export type Body<P extends Operation> =
  Post<P> extends { requestBody?: infer R } ? (NonNullable<R> extends { content: { "application/json": infer B } } ? B : undefined) : undefined;
type Arguments<P extends Operation> = Post<P> extends { requestBody: object } ? [body: Body<P>, options?: CallOptions] : [body?: Body<P>, options?: CallOptions];
/** What an operation answers, without its envelope; undefined for those that answer nothing. */
export type Answer<P extends Operation> =
  Post<P> extends { responses: { 200: { content: { "application/json": infer A } } } } ? (A extends { data: infer D } ? D : undefined) : undefined;

export interface ClientOptions {
  /** Where the API is, such as https://chat.example.com. Left out, the page's own origin. */
  url?: string;
  /** The token to begin with; `login` gets one, too. */
  token?: string;
  getToken?: TokenCallback;
  /** How long a call may take before it fails, in milliseconds; 30 s. Uploads and downloads may take as long as they do. */
  timeout?: number;
  /** How often a call is repeated that may be; 3. */
  retries?: number;
  /** Instead of the platform's own, such as the one of npm's `ws` for Node 20, which has none. */
  WebSocket?: typeof WebSocket;
  fetch?: typeof fetch;
}

export interface CallOptions {
  signal?: AbortSignal;
}

/** A Client speaks to one gateway as one user. Its methods may be called at the same time. */
export class Client {
  /** Every operation by its path, as openapi-fetch has it: with the client's token and repetitions, and the answer's envelope. */
  readonly api: FetchClient<paths>;
  readonly url: string;
  readonly #tokens: Tokens;
  readonly #requests: Requests;
  readonly #fetch: typeof fetch;
  readonly #socket: typeof WebSocket | undefined;

  constructor(options: ClientOptions = {}) {
    const url = options.url ?? globalThis.location?.origin;
    if (!url) throw new TypeError("Client: url is missing; it is where the API is, such as https://chat.example.com");
    this.url = url.replace(/\/+$/, "");
    this.#fetch = options.fetch ?? fetch.bind(globalThis);
    this.#socket = options.WebSocket ?? globalThis.WebSocket;
    this.#tokens = new Tokens(options.token, options.getToken);
    this.#requests = new Requests(this.#tokens, this.#fetch, options.timeout ?? 30_000, options.retries ?? 3);
    this.api = createFetchClient<paths>({ baseUrl: this.url, fetch: (request: Request) => this.#requests.send(request) });
  }

  /** The token that calls carry; keep it to come back without a password. */
  get token(): string | undefined {
    return this.#tokens.current;
  }

  /** call does one operation and answers its data. What does not work is thrown as a {@link XuangateError}. */
  async call<P extends Operation>(path: P, ...[body, options]: Arguments<P>): Promise<Answer<P>> {
    const request = new Request(this.url + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body ?? {}),
      signal: options?.signal ?? null,
    });
    return (await dataOf(await this.#requests.send(request))) as Answer<P>;
  }

  /** login signs in, and has later calls carry the token it got. A wrong password is thrown with {@link Code.WrongPassword}; do not try it again, for the third locks the account. */
  async login(who: Schemas["LoginRequest"], options?: CallOptions): Promise<Schemas["Login"]> {
    const login = await this.call("/login", who, options);
    this.#tokens.current = login.Token;
    return login;
  }

  /** logout ends the token; streams that were opened with it end as `revoked`. */
  async logout(options?: CallOptions): Promise<void> {
    await this.call("/logout", undefined, options);
    this.#tokens.current = undefined;
  }

  /** sendMsg sends a message, and repeats it safely where the network fails: without a `client_msg_id` it makes one. To try again
   *  later what was thrown, pass the same `client_msg_id`. */
  async sendMsg(message: Schemas["SendMsgRequest"], options?: CallOptions): Promise<Schemas["SentMsg"]> {
    return this.call("/send_msg", { client_msg_id: newId(), ...message }, options);
  }

  /** uploadFile brings a file to a conversation. Nobody hears of it until a message is sent about it, with the Type and Content answered
   *  here. It is not repeated by itself. */
  async uploadFile(conversationId: string, file: Blob, options: TransferOptions & { name?: string } = {}): Promise<Schemas["UploadedFile"]> {
    const form = new FormData(); // the parts in the order that the API wants
    form.set("conversation_id", conversationId);
    form.set("file", file, options.name ?? (file instanceof File ? file.name : "file"));
    const response = await this.#tokens.use((token) => upload(`${this.url}/upload_file`, form, token, this.#fetch, options, file.size));
    return (await dataOf(response)) as Schemas["UploadedFile"];
  }

  /** downloadFile fetches a file that a message or an answer told of, whole. */
  async downloadFile(file: Pick<Schemas["File"], "Url">, options: TransferOptions = {}): Promise<Blob> {
    return this.#tokens.use((token) => download(this.url + file.Url, token, this.#fetch, options));
  }

  /** events hears what happens, from now on or after a position. Nothing is asked until it is iterated or listened to. */
  events(options: EventsOptions = {}): EventStream {
    return new EventStream({ url: this.url, tokens: this.#tokens, fetch: this.#fetch, WebSocket: this.#socket }, options);
  }
}

/** dataOf unwraps an answer's envelope. */
async function dataOf(response: Response): Promise<unknown> {
  if (!response.ok) throw await problemOf(response);
  const answer = (await response.json().catch(() => ({}))) as { code?: unknown; data?: unknown };
  if (answer.code === 0) return answer.data;
  throw new XuangateError(Code.NoAnswer, "an answer that is not the API's; is the address right, is a proxy in between?", { status: response.status });
}

/** newId is a random id for one message. It needs no secure context, as crypto.randomUUID does. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
