import type { Chat, User } from "../chat.js";
import type { Conversation } from "../thread.js";
import { words } from "../words.js";
import { People } from "./icons.js";

/** How many colours style.css has for avatars. */
const colours = 8;

/** Pictures of users lie on the chat server's site, which the page's policy keeps out: so everybody has initials. */
export function Avatar({ session, name, status }: { session: string; name: string; status?: string | undefined }) {
  return (
    <span class={`avatar tone-${Number(session) % colours}`} aria-hidden="true">
      {initials(name)}
      {status && <i class={`dot ${status}`} />}
    </span>
  );
}

export function ConversationAvatar({ chat, info }: { chat: Chat; info: Conversation }) {
  const partner = chat.partner(info);
  if (partner) return <Avatar session={partner.Session} name={chat.name(partner.Session)} status={partner.Status} />;
  return (
    <span class={`avatar group tone-${hash(info.ConversationID) % colours}`} aria-hidden="true">
      {info.ConversationType === 2 ? <People /> : [...info.Name].slice(0, 2).join("")}
    </span>
  );
}

/** The last two characters of a Chinese name, the first letters of another. */
function initials(name: string): string {
  const trimmed = name.trim();
  if (/^\p{Script=Han}/u.test(trimmed)) return [...trimmed].slice(0, 4).slice(-2).join("");
  const parts = trimmed.split(/\s+/);
  return (parts.length > 1 ? `${parts[0]?.[0] ?? ""}${parts.at(-1)?.[0] ?? ""}` : trimmed.slice(0, 2)).toUpperCase();
}

function hash(text: string): number {
  return [...text].reduce((sum, each) => (sum * 31 + each.charCodeAt(0)) >>> 0, 7);
}

export function statusWord(user: User | undefined): string {
  const w = words();
  switch (user?.Status) {
    case "online":
      return w.online;
    case "away":
      return w.away;
    case "busy":
      return w.busy;
  }
  return w.offline;
}

export function titleOf(chat: Chat, info: Conversation): string {
  const partner = chat.partner(info);
  if (partner) return chat.name(partner.Session);
  if (info.ConversationType === 2 && !info.Name) return words().systemConversation;
  return info.Name || info.Members.map((each) => chat.name(each)).join(words().and);
}
