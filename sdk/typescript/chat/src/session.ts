import { signal } from "@preact/signals";
import { Client, type Schemas } from "@xuangate/sdk";
import { Chat } from "./chat.js";
import { load, store } from "./keep.js";

/** This page's platform: one sign-in per user and platform, so the desktop client and phones stay as they are. */
const platform = 1;

/** Why one has to sign in again, where that needs to be said. */
export const ended = signal<"kicked" | "token" | "superseded" | undefined>(undefined);

/** The chat one is signed in to. */
export const chat = signal<Chat | undefined>(undefined);

interface Kept {
  token: string;
  me: Schemas["User"];
}

/** resume goes on with the sign-in of before a reload, if there is one. */
export function resume(): void {
  const kept = load<Kept>("session");
  if (kept) begin(new Client({ url: base(), token: kept.token }), kept.me);
}

export async function signIn(account: string, password: string): Promise<void> {
  const client = new Client({ url: base() });
  const login = await client.login({ account, password, platform });
  store("session", { token: login.Token, me: login.User } satisfies Kept);
  ended.value = undefined;
  begin(client, login.User);
}

export async function signOut(): Promise<void> {
  const client = chat.value?.client;
  leave();
  await client?.logout().catch(() => {}); // the token ends by itself some day
}

function begin(client: Client, me: Schemas["User"]): void {
  const begun = new Chat(client, me, (why) => {
    if (chat.value !== begun) return;
    leave();
    ended.value = why;
  });
  chat.value = begun;
  begun.start();
}

function leave(): void {
  chat.value?.stop();
  chat.value = undefined;
  store("session", undefined);
}

/** base is where the gateway is: beside the page. */
function base(): string {
  return new URL(".", location.href).href.replace(/\/$/, "");
}
