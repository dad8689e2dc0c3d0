import { useSignal } from "@preact/signals";
import type { Chat } from "../chat.js";
import { problemOf } from "../problems.js";
import { go } from "../route.js";
import type { Thread } from "../thread.js";
import { fill, words } from "../words.js";
import { Avatar, ConversationAvatar, statusWord, titleOf } from "./Avatar.js";
import { Dialog } from "./Dialog.js";
import { Close, Plus } from "./icons.js";
import { PeoplePicker } from "./PeoplePicker.js";

/** What is to be known of a conversation, and done about it. */
export function Details({ chat, thread, onClose }: { chat: Chat; thread: Thread; onClose: () => void }) {
  const w = words();
  const info = thread.info.value;
  const me = chat.user(chat.me);
  const id = thread.id;
  const group = info.ConversationType === 0 && !info.IsDelete;
  const manages = group && (info.Creator === me?.Account || info.Admins.includes(chat.me) || me?.Admin === "super");
  const problem = useSignal("");
  const renaming = useSignal<string | undefined>(undefined);
  const adding = useSignal(false);
  const added = useSignal<string[]>([]);

  const attempt = async (act: () => Promise<unknown>) => {
    problem.value = "";
    try {
      await act();
      return true;
    } catch (error) {
      problem.value = problemOf(error);
      return false;
    }
  };
  const rename = (event: SubmitEvent) => {
    event.preventDefault();
    const name = renaming.value?.trim();
    if (name) void attempt(() => chat.client.call("/rename_conversation", { conversation_id: id, name })).then((done) => done && (renaming.value = undefined));
  };
  const leave = async () => {
    if (confirm(w.leaveSure) && (await attempt(() => chat.client.call("/leave_conversation", { conversation_id: id })))) go(undefined);
  };
  const dismiss = () => confirm(w.dismissSure) && void attempt(() => chat.client.call("/dismiss_conversation", { conversation_id: id }));
  const remove = (session: string) => confirm(fill(w.removeSure, chat.name(session))) && void attempt(() => chat.client.call("/remove_members", { conversation_id: id, sessions: [session] }));
  const add = async () => {
    if (await attempt(() => chat.client.call("/invite_members", { conversation_id: id, sessions: added.value }))) {
      adding.value = false;
      added.value = [];
    }
  };

  return (
    <aside class="details" aria-label={w.details}>
      <header>
        <h2>{w.details}</h2>
        <button type="button" class="plain" aria-label={w.close} onClick={onClose}>
          <Close />
        </button>
      </header>
      <div class="portrait">
        <ConversationAvatar chat={chat} info={info} />
        {renaming.value === undefined ? (
          <h3>{titleOf(chat, info)}</h3>
        ) : (
          <form onSubmit={rename}>
            <input aria-label={w.groupName} value={renaming.value} maxLength={60} onInput={(event) => (renaming.value = event.currentTarget.value)} autofocus />
            <button type="submit" class="primary">
              {w.save}
            </button>
          </form>
        )}
        {info.Public && <p class="soft">{w.publicGroup}</p>}
        {manages && renaming.value === undefined && (
          <button type="button" onClick={() => (renaming.value = info.Name)}>
            {w.rename}
          </button>
        )}
      </div>
      {problem.value && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
      {info.ConversationType !== 2 && (
        <div class="switches">
          <Switch label={w.star} on={info.IsStar} set={(star) => attempt(() => chat.client.call("/star_conversation", { conversation_id: id, star }))} />
          <Switch label={w.mute} on={info.IsMute} lacking={!chat.can("mute")} set={(mute) => attempt(() => chat.client.call("/mute_conversation", { conversation_id: id, mute }))} />
          <Switch label={w.archive} on={info.IsArchive} set={(hide) => attempt(() => chat.client.call("/hide_conversation", { conversation_id: id, hide }))} />
        </div>
      )}
      <section>
        <h3>
          {w.members} · {info.Members.length}
          {group && (
            <button type="button" class="plain" aria-label={w.addMembers} onClick={() => (adding.value = true)}>
              <Plus />
            </button>
          )}
        </h3>
        <ul class="people">
          {info.Members.map((session) => (
            <li key={session}>
              <Avatar session={session} name={chat.name(session)} status={chat.user(session)?.Status ?? "offline"} />
              <span>
                <b>{chat.name(session)}</b>
                <small>{statusWord(chat.user(session))}</small>
              </span>
              {manages && session !== chat.me && (
                <button type="button" class="plain" aria-label={`${w.remove} ${chat.name(session)}`} onClick={() => remove(session)}>
                  <Close />
                </button>
              )}
            </li>
          ))}
        </ul>
      </section>
      {group && (
        <footer>
          <button type="button" class="danger" onClick={leave}>
            {w.leave}
          </button>
          {manages && (
            <button type="button" class="danger" disabled={!chat.can("dismiss")} aria-describedby={chat.can("dismiss") ? undefined : "no-dismissing"} onClick={dismiss}>
              {w.dismiss}
            </button>
          )}
          {manages && !chat.can("dismiss") && (
            <p id="no-dismissing" class="soft">
              {w.dismiss}: {w.lacking}
            </p>
          )}
        </footer>
      )}
      {adding.value && (
        <Dialog title={w.addMembers} onClose={() => (adding.value = false)}>
          <PeoplePicker chat={chat} chosen={added} without={info.Members} />
          {problem.value && <p class="problem">{problem.value}</p>}
          <button type="button" class="primary" disabled={added.value.length === 0} onClick={add}>
            {w.addMembers}
          </button>
        </Dialog>
      )}
    </aside>
  );
}

function Switch({ label, on, lacking = false, set }: { label: string; on: boolean; lacking?: boolean; set: (on: boolean) => void }) {
  return (
    <label class="switch">
      <span>
        {label}
        {lacking && <small>{words().lacking}</small>}
      </span>
      <input type="checkbox" role="switch" checked={on} disabled={lacking} onChange={(event) => set(event.currentTarget.checked)} />
    </label>
  );
}
