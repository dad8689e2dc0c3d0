import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Schemas } from "@xuangate/sdk";
import type { Chat } from "../chat.js";
import { problemOf } from "../problems.js";
import { go } from "../route.js";
import { fill, words } from "../words.js";
import { Dialog } from "./Dialog.js";
import { PeoplePicker } from "./PeoplePicker.js";

export function NewConversation({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const w = words();
  const chosen = useSignal<string[]>([]);
  const name = useSignal("");
  const tab = useSignal<"people" | "public">("people");
  const problem = useSignal("");
  const groups = useSignal<Schemas["PublicConversation"][] | undefined>(undefined);

  useEffect(() => {
    chat.client.call("/get_public_conversations").then(
      ({ Conversations }) => (groups.value = Conversations),
      (error) => (problem.value = problemOf(error)),
    );
  }, []);

  const opened = async (act: () => Promise<string>) => {
    problem.value = "";
    try {
      const id = await act();
      await chat.thread(id);
      onClose();
      go(id);
    } catch (error) {
      problem.value = problemOf(error);
    }
  };
  const create = () =>
    opened(async () => {
      const alone = chosen.value.length === 1 && name.value.trim() === "";
      const made = await chat.client.call("/create_conversation", alone ? { conversation_type: 1, members: chosen.value } : { conversation_type: 0, members: chosen.value, name: name.value.trim() });
      return made.ConversationId;
    });
  const join = (id: string) => opened(async () => (await chat.client.call("/join_conversation", { conversation_id: id })).ConversationId);

  return (
    <Dialog title={w.newConversation} onClose={onClose}>
      <div class="tabs">
        <button type="button" aria-pressed={tab.value === "people"} onClick={() => (tab.value = "people")}>
          {w.members}
        </button>
        <button type="button" aria-pressed={tab.value === "public"} onClick={() => (tab.value = "public")}>
          {w.joinPublic}
        </button>
      </div>
      {tab.value === "people" ? (
        <>
          <PeoplePicker chat={chat} chosen={chosen} without={[chat.me]} />
          {chosen.value.length > 1 && (
            <label class="field">
              {w.groupName}
              <input value={name.value} maxLength={60} placeholder={w.groupNameHint} onInput={(event) => (name.value = event.currentTarget.value)} />
            </label>
          )}
          <button type="button" class="primary" disabled={chosen.value.length === 0} onClick={create}>
            {chosen.value.length > 1 ? `${w.createGroup} · ${fill(w.selected, chosen.value.length)}` : w.create}
          </button>
        </>
      ) : (
        <ul class="people">
          {groups.value?.map((each) => (
            <li key={each.ConversationID}>
              <span>
                <b>{each.Name}</b>
                <small>
                  {each.MemberCount} {w.people}
                </small>
              </span>
              <button type="button" onClick={() => (each.Joined ? (onClose(), go(each.ConversationID)) : void join(each.ConversationID))}>
                {each.Joined ? w.open : w.join}
              </button>
            </li>
          ))}
          {groups.value?.length === 0 && <li class="nothing">{w.noneFound}</li>}
        </ul>
      )}
      {problem.value && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
    </Dialog>
  );
}
