import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Chat } from "../chat.js";
import { go } from "../route.js";
import type { Thread } from "../thread.js";
import { words } from "../words.js";
import { ConversationAvatar, statusWord, titleOf } from "./Avatar.js";
import { Composer } from "./Composer.js";
import { Back, Down, Info } from "./icons.js";
import { Messages } from "./Messages.js";

/** How near the end counts as at the end, and how near the beginning has older messages loaded, in CSS pixels. */
const nearEnd = 80;
const nearStart = 400;

/** One conversation: its head, its messages, and where to write. */
export function ThreadView({ chat, thread, details }: { chat: Chat; thread: Thread; details: Signal<boolean> }) {
  const w = words();
  const info = thread.info.value;
  const partner = chat.partner(info);
  const log = useRef<HTMLDivElement>(null);
  const held = useRef({ height: 0, atEnd: true, first: "" });
  const behind = useSignal(false); // something new is below
  const messages = thread.messages.value;
  const drafts = chat.outbox.drafts.value.filter((each) => each.conversation === thread.id);
  const older = thread.older.value;

  useEffect(() => {
    if (older === "unknown" && chat.loaded.value) void thread.loadOlder();
  }, [older, chat.loaded.value]);

  const toEnd = () => {
    const pane = log.current;
    if (pane) pane.scrollTop = pane.scrollHeight;
  };
  // What is read stays where it is: at the end new messages push the old ones up, and older ones are put in above.
  useLayoutEffect(() => {
    const pane = log.current;
    if (!pane) return;
    const first = messages[0]?.MsgId ?? "";
    if (held.current.atEnd) toEnd();
    else if (first < held.current.first) pane.scrollTop += pane.scrollHeight - held.current.height;
    else if (pane.scrollHeight > held.current.height) behind.value = true;
    held.current.height = pane.scrollHeight;
    held.current.first = first;
    if (pane.scrollTop < nearStart && thread.older.peek() === "more") void thread.loadOlder();
  }, [messages, drafts.length, older]);
  useEffect(() => {
    const pane = log.current;
    if (!pane) return;
    const watch = new ResizeObserver(() => held.current.atEnd && toEnd()); // pictures arrive, keyboards open
    watch.observe(pane);
    if (pane.firstElementChild) watch.observe(pane.firstElementChild);
    return () => watch.disconnect();
  }, []);
  const scrolled = () => {
    const pane = log.current;
    if (!pane) return;
    held.current.atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < nearEnd;
    held.current.height = pane.scrollHeight;
    if (held.current.atEnd) behind.value = false;
    if (pane.scrollTop < nearStart && thread.older.peek() === "more") void thread.loadOlder();
  };

  return (
    <>
      <header class="head">
        <button type="button" class="plain back" aria-label={w.back} onClick={() => go(undefined)}>
          <Back />
        </button>
        <ConversationAvatar chat={chat} info={info} />
        <div>
          <h1>{titleOf(chat, info)}</h1>
          <small>{partner ? statusWord(partner) : `${info.Members.length} ${w.people}`}</small>
        </div>
        <button type="button" class="plain" aria-label={w.details} aria-expanded={details.value} onClick={() => (details.value = !details.value)}>
          <Info />
        </button>
      </header>
      <div class="log" ref={log} onScroll={scrolled} role="log" aria-label={w.message} tabIndex={0}>
        <div class="flow">
          {older === "loading" && <p class="line">{w.loadingOlder}</p>}
          {older === "failed" && (
            <p class="line">
              {w.loadFailed}{" "}
              <button type="button" onClick={() => void thread.loadOlder()}>
                {w.tryAgain}
              </button>
            </p>
          )}
          {older === "none" && <p class="line">{messages.length + drafts.length > 0 ? w.startOfThread : w.emptyThread}</p>}
          <Messages chat={chat} info={info} messages={messages} drafts={drafts} />
        </div>
      </div>
      {behind.value && (
        <button type="button" class="behind" onClick={toEnd}>
          <Down /> {w.newMessages}
        </button>
      )}
      {info.IsDelete ? <p class="line closed">{w.dismissed}</p> : <Composer chat={chat} thread={thread} onSend={() => ((held.current.atEnd = true), toEnd())} />}
    </>
  );
}
