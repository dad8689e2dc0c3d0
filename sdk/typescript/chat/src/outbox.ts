import { signal } from "@preact/signals";
import { Code, newId, type Schemas, XuangateError } from "@xuangate/sdk";
import type { Chat } from "./chat.js";
import { load, store } from "./keep.js";
import { problemOf } from "./problems.js";

/** A Draft is a message of one's own that the server has not confirmed yet. */
export interface Draft {
  /** Its client_msg_id: sent again under the same one, it is stored once. */
  id: string;
  conversation: string;
  type: number;
  content: string;
  /** When it was written, Unix microseconds. */
  at: number;
  state: "sending" | "failed";
  error?: string;
  /** Whether another try may succeed by itself, once the network is back. */
  transient?: boolean;
  file?: Attachment;
}

export interface Attachment {
  file: File;
  preview?: string;
  progress: number;
}

/** An Outbox sends messages, those of one conversation one after the other, and keeps what could not be sent. */
export class Outbox {
  readonly drafts = signal<Draft[]>([]);
  readonly #chat: Chat;
  readonly #queues = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(chat: Chat) {
    this.#chat = chat;
    this.drafts.value = load<Draft[]>(this.#place) ?? [];
    for (const each of this.drafts.peek()) this.#enqueue(each.id, each.conversation);
  }

  get #place(): string {
    return `outbox.${this.#chat.me}`;
  }

  send(conversation: string, type: number, content: string, file?: File): void {
    const draft: Draft = { id: newId(), conversation, type, content, at: Date.now() * 1000, state: "sending" };
    if (file) {
      draft.file = { file, progress: 0 };
      if (type === 3) draft.file.preview = URL.createObjectURL(file);
    }
    this.#set([...this.drafts.peek(), draft]);
    this.#enqueue(draft.id, conversation);
  }

  resend(id: string): void {
    const draft = this.#change(id, { state: "sending", error: undefined });
    if (draft) this.#enqueue(id, draft.conversation);
  }

  discard(id: string): void {
    const preview = this.#find(id)?.file?.preview;
    if (preview) URL.revokeObjectURL(preview);
    this.#set(this.drafts.peek().filter((each) => each.id !== id));
  }

  /** retry sends again what only the network kept back. */
  retry(): void {
    for (const each of this.drafts.peek()) if (each.state === "failed" && each.transient) this.resend(each.id);
  }

  /** arrived is told of an own message that the stream brought, perhaps before the answer to its sending did. */
  arrived(message: Schemas["MsgData"]): void {
    const draft = this.drafts.peek().find((each) => each.conversation === message.ConversationID && each.state === "sending" && each.type === message.Type && each.content === message.Content);
    if (draft) this.discard(draft.id);
  }

  stop(): void {
    this.#stopped.abort();
  }

  #enqueue(id: string, conversation: string): void {
    const before = this.#queues.get(conversation) ?? Promise.resolve();
    this.#queues.set(conversation, before.then(() => this.#post(id)));
  }

  async #post(id: string): Promise<void> {
    const draft = this.#find(id);
    if (!draft || draft.state !== "sending" || this.#stopped.signal.aborted) return;
    const signal = this.#stopped.signal;
    try {
      const content = draft.content || (await this.#upload(draft, signal));
      const { MsgID } = await this.#chat.client.sendMsg({ conversation_id: draft.conversation, type: draft.type, content, client_msg_id: draft.id }, { signal });
      const thread = await this.#chat.thread(draft.conversation);
      if (!thread.messages.peek().some((each) => each.MsgId === MsgID) && !draft.file) {
        thread.hear({ MsgId: MsgID, ConversationID: draft.conversation, FromSession: this.#chat.me, SendTime: draft.at, Status: 0, Type: draft.type, Content: content });
      }
      if (this.#find(id)) this.discard(id);
    } catch (error) {
      if (signal.aborted) return;
      const transient = error instanceof XuangateError && [Code.NoAnswer, Code.Unreachable, Code.TooSlow, Code.TooManyRequests].includes(error.code as never);
      this.#change(id, { state: "failed", error: problemOf(error), transient });
    }
  }

  async #upload(draft: Draft, signal: AbortSignal): Promise<string> {
    const attachment = draft.file;
    if (!attachment) throw new Error("nothing to send");
    const uploaded = await this.#chat.client.uploadFile(draft.conversation, attachment.file, {
      signal,
      onProgress: (done, total) => this.#change(draft.id, { file: { ...attachment, progress: total > 0 ? done / total : 0 } }),
    });
    this.#change(draft.id, { content: uploaded.Content });
    return uploaded.Content;
  }

  #find(id: string): Draft | undefined {
    return this.drafts.peek().find((each) => each.id === id);
  }

  #change(id: string, change: Partial<Draft>): Draft | undefined {
    this.#set(this.drafts.peek().map((each) => (each.id === id ? { ...each, ...change } : each)));
    return this.#find(id);
  }

  #set(drafts: Draft[]): void {
    this.drafts.value = drafts;
    store(this.#place, drafts.filter((each) => !each.file)); // a file is the browser's only as long as the page is
  }
}
