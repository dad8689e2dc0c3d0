import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Chat } from "../chat.js";
import { openId } from "../route.js";
import { words } from "../words.js";
import { Connection } from "./Connection.js";
import { Details } from "./Details.js";
import { List } from "./List.js";
import { ThreadView } from "./ThreadView.js";

/** The whole page of somebody signed in: the list, the open conversation, and what is to be known of it. On a phone one at a time. */
export function Shell({ chat }: { chat: Chat }) {
  const details = useSignal(false);
  const thread = chat.open.value;
  useEffect(() => {
    details.value = false;
  }, [thread?.id]);
  const w = words();
  return (
    <div class={`shell ${openId.value ? "in-thread" : "in-list"} ${details.value && thread ? "with-details" : ""}`}>
      <Connection chat={chat} />
      <List chat={chat} />
      <main class="pane">
        {thread ? (
          <ThreadView key={thread.id} chat={chat} thread={thread} details={details} />
        ) : (
          <div class="empty">
            <img src="./icon.svg" alt="" width="64" height="64" />
            <p>{openId.value && chat.loaded.value ? w.removed : chat.loaded.value ? w.chooseConversation : w.connecting}</p>
          </div>
        )}
      </main>
      {thread && details.value && <Details key={`details-${thread.id}`} chat={chat} thread={thread} onClose={() => (details.value = false)} />}
    </div>
  );
}
