import { computed, effect, signal } from "@preact/signals";
import { type Client, type EventStream, type Schemas, StreamEndedError, type StreamEvent, type StreamState, type Transport, XuangateError, Code } from "@xuangate/sdk";
import { load, store } from "./keep.js";
import { Outbox } from "./outbox.js";
import { Pictures } from "./pictures.js";
import { openId } from "./route.js";
import { type Conversation, Thread } from "./thread.js";

export type User = Schemas["User"];
type Notice = Schemas["Notification"];

/** mostNotices bounds the notices that are kept in the browser. */
const mostNotices = 50;

/** How long to wait before the lists are asked for again, in milliseconds. */
const reload = 3_000;

/** A Chat is all that one signed-in user sees. It lives from start to stop. */
export class Chat {
  readonly client: Client;
  readonly me: string;
  readonly users = signal<ReadonlyMap<string, User>>(new Map());
  readonly threads = signal<ReadonlyMap<string, Thread>>(new Map());
  readonly notices = signal<Notice[]>([]);
  readonly freshNotices = signal(0);
  readonly state = signal<StreamState>({ status: "connecting" });
  readonly upstream = signal<Schemas["UpstreamState"]>("online");
  readonly loaded = signal(false);
  /** What the server behind can do and not every one can; undefined while that is not known. */
  readonly capabilities = signal<ReadonlySet<Schemas["Capability"]> | undefined>(undefined);
  readonly outbox: Outbox;
  readonly pictures: Pictures;
  /** Threads for the list: pinned ones first, then by their last message. */
  readonly listed = computed(() =>
    [...this.threads.value.values()].sort((a, b) => {
      const [one, other] = [a.info.value, b.info.value];
      return Number(other.IsStar) - Number(one.IsStar) || Math.max(other.LastSendTime, other.CreateTime) - Math.max(one.LastSendTime, one.CreateTime) || (a.id < b.id ? -1 : 1);
    }),
  );
  readonly open = computed(() => (openId.value === undefined ? undefined : this.threads.value.get(openId.value)));
  readonly unread = computed(() => this.listed.value.reduce((sum, each) => sum + (each.info.value.IsMute ? 0 : each.unread.value), 0));

  readonly #visible = signal(document.visibilityState === "visible");
  readonly #read: Record<string, string>;
  readonly #end: (why: "kicked" | "token" | "superseded") => void;
  readonly #over: (() => void)[] = [];
  #stream: EventStream | undefined;

  constructor(client: Client, me: User, end: (why: "kicked" | "token" | "superseded") => void) {
    this.client = client;
    this.me = me.Session;
    this.users.value = new Map([[me.Session, me]]);
    this.#end = end;
    this.#read = load(`read.${this.me}`) ?? {};
    this.notices.value = load(`notices.${this.me}`) ?? [];
    this.outbox = new Outbox(this);
    this.pictures = new Pictures(client);
  }

  start(): void {
    const watch = () => (this.#visible.value = document.visibilityState === "visible");
    document.addEventListener("visibilitychange", watch);
    this.#over.push(() => document.removeEventListener("visibilitychange", watch));
    this.#over.push(effect(() => this.#markRead()));
    this.#over.push(effect(() => void (document.title = this.unread.value > 0 ? `(${this.unread.value}) Xuangate` : "Xuangate")));
    void this.#hear();
  }

  stop(): void {
    this.#stream?.close();
    this.outbox.stop();
    this.pictures.clear();
    for (const end of this.#over) end();
  }

  user(session: string): User | undefined {
    return this.users.value.get(session);
  }

  name(session: string): string {
    const user = this.user(session);
    return user?.RealName || user?.Account || `#${session}`;
  }

  /** can says whether the server behind can do something. What is not known yet is offered. */
  can(capability: Schemas["Capability"]): boolean {
    return this.capabilities.value?.has(capability) ?? true;
  }

  /** partner is the other one of a one-to-one conversation. */
  partner(info: Conversation): User | undefined {
    return info.ConversationType === 1 ? this.user(info.Members.find((each) => each !== this.me) ?? this.me) : undefined;
  }

  /** thread answers a conversation, and asks for it if it is not known yet. */
  async thread(id: string): Promise<Thread> {
    const known = this.threads.peek().get(id);
    return known ?? this.#put(await this.client.call("/get_conversation_detail", { conversation_id: id }));
  }

  /** Events come in order, so what they change is changed in order: an event waits for what the one before it had to load. */
  async #hear(): Promise<void> {
    const transports = new URLSearchParams(location.search).get("via")?.split(",") as Transport[] | undefined;
    let first: Promise<void> | undefined;
    this.#stream = this.client.events({
      ...(transports ? { transports } : {}),
      onState: (state) => {
        const before = this.state.peek();
        this.state.value = state;
        if (state.status !== "online") return;
        first ??= this.#load(); // only now nothing can be said that neither the lists nor the stream tell
        if (before.status !== "online") this.outbox.retry();
      },
    });
    try {
      for await (const event of this.#stream) {
        await first;
        await this.#take(event);
      }
    } catch (error) {
      if (error instanceof StreamEndedError && error.reason === "superseded") this.#end("superseded");
      else this.#end(error instanceof XuangateError && error.code === Code.SignedInElsewhere ? "kicked" : "token");
    }
  }

  async #load(): Promise<void> {
    for (;;) {
      try {
        const [users, conversations, server] = await Promise.all([this.client.call("/get_users"), this.client.call("/get_conversations"), this.client.call("/get_server_info")]);
        this.capabilities.value = new Set(server.Capabilities);
        this.users.value = new Map(users.Users.map((each) => [each.Session, each]));
        const threads = new Map<string, Thread>();
        for (const info of conversations.Conversations) {
          const thread = this.threads.peek().get(info.ConversationID) ?? new Thread(this.client, info);
          thread.change(info);
          thread.forget();
          threads.set(thread.id, thread);
        }
        this.threads.value = threads;
        this.loaded.value = true;
        await this.#countUnread([...threads.values()]);
        return;
      } catch (error) {
        if (this.state.peek().status === "ended") return;
        if (error instanceof XuangateError && error.status === 401) return; // the stream ends with it
        await new Promise((done) => setTimeout(done, reload));
      }
    }
  }

  async #countUnread(threads: Thread[]): Promise<void> {
    for (const thread of threads) {
      const read = this.#read[thread.id];
      if (read === undefined) this.#read[thread.id] = thread.newest; // first time here: what is old is not new
      else if (thread.newest > read && !thread.info.peek().IsDelete) await thread.countUnread(read, this.me).catch(() => {});
    }
    this.#keepRead();
  }

  #put(info: Conversation): Thread {
    const known = this.threads.peek().get(info.ConversationID);
    if (known) {
      known.change(info);
      return known;
    }
    const thread = new Thread(this.client, info);
    this.threads.value = new Map(this.threads.peek()).set(thread.id, thread);
    return thread;
  }

  async #take(event: StreamEvent): Promise<void> {
    switch (event.Event) {
      case "message":
        return this.#takeMessage(event.Data);
      case "conversation":
        return this.#takeConversation(event.Data);
      case "user":
        this.users.value = new Map(this.users.peek()).set(event.Data.Session, event.Data);
        return;
      case "notification":
        this.notices.value = [event.Data, ...this.notices.peek()].slice(0, mostNotices);
        this.freshNotices.value++;
        store(`notices.${this.me}`, this.notices.peek());
        return;
      case "upstream":
        this.upstream.value = event.Data.Upstream;
        return;
      case "reset":
        return this.#load();
    }
  }

  async #takeMessage(message: Schemas["MsgData"]): Promise<void> {
    const thread = await this.thread(message.ConversationID).catch(() => undefined);
    if (!thread) return; // left meanwhile
    const known = message.MsgId <= (this.#read[thread.id] ?? "");
    if (message.FromSession === this.me) this.outbox.arrived(message);
    else if (!known) thread.unread.value++;
    thread.hear(message);
  }

  #takeConversation(event: Schemas["ConversationEvent"]): void {
    const { Changed: _, ...info } = event;
    const mine = event.ConversationType === 2 || event.Members.includes(this.me);
    if (mine) {
      const known = this.threads.peek().get(event.ConversationID)?.info.peek();
      this.#put({ IsArchive: false, IsStar: false, IsMute: false, Category: "", ...known, ...info });
      return;
    }
    const threads = new Map(this.threads.peek());
    threads.delete(event.ConversationID);
    this.threads.value = threads;
  }

  /** What is open while the page is looked at is read. */
  #markRead(): void {
    const thread = this.open.value;
    if (!thread || !this.#visible.value || !this.loaded.value) return;
    if (thread.unread.value > 0) thread.unread.value = 0;
    if (thread.last.value && (this.#read[thread.id] ?? "") < thread.newest) {
      this.#read[thread.id] = thread.newest;
      this.#keepRead();
    }
  }

  #keepRead(): void {
    store(`read.${this.me}`, this.#read);
  }
}
