import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Chat } from "../chat.js";
import { go, hrefOf, openId } from "../route.js";
import { signOut } from "../session.js";
import type { Message, Thread } from "../thread.js";
import { brief } from "../time.js";
import { fill, words } from "../words.js";
import { Appearance } from "./Appearance.js";
import { Avatar, ConversationAvatar, statusWord, titleOf } from "./Avatar.js";
import { Dialog } from "./Dialog.js";
import { Bell, Mute, Pin, Plus, Search } from "./icons.js";
import { NewConversation } from "./NewConversation.js";
import { Notices } from "./Notices.js";

export function List({ chat }: { chat: Chat }) {
  const w = words();
  const query = useSignal("");
  const dialog = useSignal<"new" | "me" | "notices" | undefined>(undefined);
  const search = useRef<HTMLInputElement>(null);
  const me = chat.user(chat.me);
  const wanted = query.value.trim().toLowerCase();
  const shown = chat.listed.value.filter((each) => {
    const info = each.info.value;
    return wanted ? titleOf(chat, info).toLowerCase().includes(wanted) : (!info.IsArchive && !info.IsDelete) || each.id === openId.value;
  });

  useEffect(() => {
    const find = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "k") {
        event.preventDefault();
        search.current?.focus();
      }
    };
    document.addEventListener("keydown", find);
    return () => document.removeEventListener("keydown", find);
  }, []);

  return (
    <aside class="list">
      <header>
        <button type="button" class="me plain" onClick={() => (dialog.value = "me")} title={w.settings}>
          <Avatar session={chat.me} name={chat.name(chat.me)} status={me?.Status === "offline" ? "online" : me?.Status} />
          <span>
            <b>{chat.name(chat.me)}</b>
            <small>{me?.Status === "offline" ? w.online : statusWord(me)}</small>
          </span>
        </button>
        {(chat.can("notices") || chat.notices.value.length > 0) && (
          <button type="button" class="plain" aria-label={w.notices} onClick={() => (dialog.value = "notices")}>
            <Bell />
            {chat.freshNotices.value > 0 && <i class="badge">{chat.freshNotices.value}</i>}
          </button>
        )}
        <button type="button" class="plain" aria-label={w.newConversation} onClick={() => (dialog.value = "new")}>
          <Plus />
        </button>
      </header>
      <label class="search">
        <Search />
        <input ref={search} type="search" placeholder={w.search} aria-label={w.search} value={query.value} onInput={(event) => (query.value = event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && shown[0] && go(shown[0].id)} />
      </label>
      <nav aria-label={w.conversations} onKeyDown={walk}>
        {shown.map((each) => (
          <Row key={each.id} chat={chat} thread={each} />
        ))}
        {chat.loaded.value && shown.length === 0 && (
          <div class="nothing">
            <b>{wanted ? w.noneFound : w.emptyList}</b>
            {!wanted && <p>{w.emptyListHint}</p>}
          </div>
        )}
        {!chat.loaded.value && [1, 2, 3, 4].map((each) => <div key={each} class="row ghost" />)}
      </nav>
      {dialog.value === "new" && <NewConversation chat={chat} onClose={() => (dialog.value = undefined)} />}
      {dialog.value === "notices" && <Notices chat={chat} onClose={() => (dialog.value = undefined)} />}
      {dialog.value === "me" && <Me chat={chat} onClose={() => (dialog.value = undefined)} />}
    </aside>
  );
}

function Row({ chat, thread }: { chat: Chat; thread: Thread }) {
  const w = words();
  const info = thread.info.value;
  const last = thread.last.value;
  const unread = thread.unread.value;
  const failed = chat.outbox.drafts.value.some((each) => each.conversation === thread.id && each.state === "failed");
  return (
    <a class={`row ${info.IsStar ? "starred" : ""}`} href={hrefOf(thread.id)} aria-current={openId.value === thread.id ? "page" : undefined}>
      <ConversationAvatar chat={chat} info={info} />
      <span class="title">
        {info.IsStar && <Pin />}
        <b>{titleOf(chat, info)}</b>
        {info.IsMute && <Mute />}
      </span>
      <time>{brief(last?.SendTime ?? info.LastSendTime)}</time>
      <span class="preview">
        {failed && <em>{w.failed} · </em>}
        {last ? preview(chat, info.ConversationType === 1, last) : info.LastSendTime === 0 && w.emptyPreview}
      </span>
      {unread > 0 && (
        <i class={`badge ${info.IsMute ? "quiet" : ""}`} aria-label={fill(w.unread, unread)}>
          {unread > 99 ? "99+" : unread}
        </i>
      )}
    </a>
  );
}

function preview(chat: Chat, alone: boolean, message: Message): string {
  const w = words();
  const text = message.Type === 3 ? `[${w.image}]` : message.Type === 4 ? `[${w.file}] ${message.File?.Name ?? ""}` : message.Content.replace(/\s+/g, " ").slice(0, 100);
  if (message.FromSession === "0" || (alone && message.FromSession !== chat.me)) return text;
  return `${message.FromSession === chat.me ? w.you : chat.name(message.FromSession)}: ${text}`;
}

/** walk moves the focus between rows with the arrow keys. */
function walk(event: KeyboardEvent): void {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  const rows = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("a.row")];
  rows[rows.indexOf(document.activeElement as HTMLElement) + step]?.focus();
  event.preventDefault();
}

function Me({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const w = words();
  const me = chat.user(chat.me);
  const status = me && me.Status !== "offline" ? me.Status : "online";
  const set = (chosen: "online" | "away" | "busy") => void chat.client.call("/set_status", { status: chosen }).catch(() => {}); // the user event tells
  return (
    <Dialog title={w.settings} onClose={onClose}>
      <div class="card">
        <Avatar session={chat.me} name={chat.name(chat.me)} status={status} />
        <span>
          <b>{chat.name(chat.me)}</b>
          <small>{me?.Account}</small>
        </span>
      </div>
      <fieldset class="choices">
        <legend>{w.status}</legend>
        {(["online", "away", "busy"] as const).map((each) => (
          <label key={each}>
            <input type="radio" name="status" checked={status === each} onChange={() => set(each)} />
            <i class={`dot ${each}`} />
            {w[each]}
          </label>
        ))}
      </fieldset>
      <Appearance />
      <p class="soft">{chat.state.value.transport && chat.state.value.status === "online" ? `${w.online} · ${w.via[chat.state.value.transport]}` : w.connecting}</p>
      <button type="button" class="danger" onClick={() => void signOut()}>
        {w.signOut}
      </button>
    </Dialog>
  );
}
