import { computed, signal } from "@preact/signals";
import type { Client, Schemas } from "@xuangate/sdk";

export type Message = Schemas["MsgData"];
export type Conversation = Schemas["Conversation"];

/** How many messages are fetched at a time. */
const page = 40;

/** mostCounted bounds how many unread messages are counted after a while away; beyond it, it is "99+" anyway. */
const mostCounted = 100;

/** A Thread is one conversation: what it is, its messages as far as they are loaded, and how many of them are unread. */
export class Thread {
  readonly id: string;
  readonly info;
  readonly unread = signal(0);
  /** Sorted by MsgId, without gaps from the oldest loaded one to the newest. */
  readonly messages = signal<Message[]>([]);
  /** How it stands with what is older than the oldest one. */
  readonly older = signal<"unknown" | "loading" | "more" | "none" | "failed">("unknown");
  readonly last = computed(() => this.messages.value.at(-1) ?? this.info.value.LastMsg);
  readonly #client: Client;

  constructor(client: Client, info: Conversation) {
    this.#client = client;
    this.id = info.ConversationID;
    this.info = signal(info);
  }

  /** The MsgId of the newest message that is known of, or "". */
  get newest(): string {
    const told = this.info.value.LastMsgID;
    const heard = this.last.value?.MsgId ?? "";
    return told > heard ? told : heard;
  }

  /** change takes over what is known anew; what an event does not tell stays. */
  change(info: Partial<Conversation>): void {
    this.info.value = { ...this.info.value, ...info };
  }

  /** add places messages by their ids; one that is here already is replaced, for an own one is put here before the server tells of it. */
  add(messages: Message[]): void {
    const all = new Map(this.messages.peek().map((each) => [each.MsgId, each]));
    for (const each of messages) all.set(each.MsgId, each);
    this.messages.value = [...all.values()].sort((a, b) => (a.MsgId < b.MsgId ? -1 : a.MsgId > b.MsgId ? 1 : 0));
  }

  /** hear takes a message of the stream. Before the newest page was loaded it is only the last one. */
  hear(message: Message): void {
    if (this.older.peek() !== "unknown") this.add([message]);
    if (message.MsgId >= this.info.peek().LastMsgID) {
      this.change({ LastMsg: message, LastMsgID: message.MsgId, LastSendTime: message.SendTime, LastSendSession: message.FromSession });
    }
  }

  /** forget lets go of the messages: some may be missing between what is here and what comes. */
  forget(): void {
    this.messages.value = [];
    this.older.value = "unknown";
  }

  /** loadOlder fetches the page before the oldest message, or the newest page. */
  async loadOlder(): Promise<void> {
    const before = this.older.peek();
    if (before === "loading" || before === "none") return;
    this.older.value = "loading";
    try {
      const oldest = this.messages.peek()[0]?.MsgId;
      const got = await this.#client.call("/get_conversation_msgs", { conversation_id: this.id, limit: page, desc: true, ...(oldest ? { before: oldest } : {}) });
      this.add(got.Msg);
      this.older.value = got.HasMore ? "more" : "none";
    } catch {
      this.older.value = "failed";
    }
  }

  /** countUnread counts what others said after the last message that was read. */
  async countUnread(read: string, me: string): Promise<void> {
    const got = await this.#client.call("/get_conversation_msgs", { conversation_id: this.id, after: read, limit: mostCounted });
    this.unread.value = got.Msg.filter((each) => each.FromSession !== me).length;
  }
}
