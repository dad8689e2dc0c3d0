import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Schemas } from "@xuangate/sdk";
import type { Chat } from "../chat.js";
import type { Draft } from "../outbox.js";
import { save } from "../pictures.js";
import { problemOf } from "../problems.js";
import type { Conversation, Message } from "../thread.js";
import { clock, day, fileSize, full, sameDay } from "../time.js";
import { fill, words } from "../words.js";
import { Avatar } from "./Avatar.js";
import { Paper } from "./icons.js";
import { Text } from "./Text.js";

/** Messages of one sender that are no further apart than this stand together, in microseconds. */
const together = 5 * 60 * 1_000_000;

export function Messages({ chat, info, messages, drafts }: { chat: Chat; info: Conversation; messages: Message[]; drafts: Draft[] }) {
  const rows: ComponentChildren[] = [];
  let before: { at: number; from: string } | undefined;
  const begin = (key: string, at: number, from: string) => {
    const newDay = !before || !sameDay(new Date(before.at / 1000), new Date(at / 1000));
    if (newDay && at > 0) {
      rows.push(
        <h2 class="day" key={`day-${key}`}>
          <span>{day(at)}</span>
        </h2>,
      );
    }
    const first = newDay || before?.from !== from || at - before.at > together;
    before = { at, from };
    return first;
  };
  for (const each of messages) {
    const first = begin(each.MsgId, each.SendTime, each.FromSession);
    rows.push(
      each.FromSession === "0" ? (
        <p class="line" key={each.MsgId}>
          {each.Content}
        </p>
      ) : (
        <Bubble key={each.MsgId} chat={chat} from={each.FromSession} at={each.SendTime} first={first} named={info.ConversationType !== 1} picture={each.Type === 3 && !!each.File}>
          <Content chat={chat} message={each} />
        </Bubble>
      ),
    );
  }
  for (const each of drafts) {
    const first = begin(each.id, each.at, chat.me);
    rows.push(<Unsent key={each.id} chat={chat} draft={each} first={first} />);
  }
  return <>{rows}</>;
}

interface BubbleProps {
  chat: Chat;
  from: string;
  at: number;
  first: boolean;
  named: boolean;
  picture?: boolean;
  state?: string;
  foot?: ComponentChildren;
  children: ComponentChildren;
}

function Bubble({ chat, from, at, first, named, picture, state, foot, children }: BubbleProps) {
  const mine = from === chat.me;
  const name = chat.name(from);
  return (
    <article class={`message ${mine ? "mine" : ""} ${first ? "first" : ""} ${state ?? ""}`} aria-label={`${mine ? words().you : name}, ${clock(at)}`}>
      {!mine && <span class="side">{first && <Avatar session={from} name={name} />}</span>}
      <div class="stack">
        {first && !mine && named && <b class="from">{name}</b>}
        <div class={`bubble ${picture ? "picture" : ""}`} title={full(at)}>
          {children}
          <time>{clock(at)}</time>
        </div>
        {foot}
      </div>
    </article>
  );
}

function Content({ chat, message }: { chat: Chat; message: Message }) {
  if (message.File && message.Type === 3) return <Picture chat={chat} file={message.File} />;
  if (message.File && message.Type === 4) return <FileCard chat={chat} file={message.File} />;
  return <Text content={message.Content} markdown={message.Type === 0} />;
}

function Picture({ chat, file }: { chat: Chat; file: Schemas["File"] }) {
  const [url, setUrl] = useState<string>();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let gone = false;
    chat.pictures.url(file).then(
      (found) => !gone && setUrl(found),
      () => !gone && setFailed(true),
    );
    return () => {
      gone = true;
    };
  }, [file.Id]);
  if (failed) return <FileCard chat={chat} file={file} />;
  return url ? (
    <button type="button" class="frame" aria-label={`${words().download} ${file.Name}`} onClick={() => void save(chat.client, file)}>
      <img src={url} alt={file.Name} onError={() => setFailed(true)} />
    </button>
  ) : (
    <span class="frame waiting" role="img" aria-label={file.Name} />
  );
}

function FileCard({ chat, file }: { chat: Chat; file: Schemas["File"] }) {
  const [problem, setProblem] = useState("");
  const get = () => save(chat.client, file).catch((error) => setProblem(problemOf(error)));
  return (
    <button type="button" class="file" title={words().download} onClick={() => void get()}>
      <Paper />
      <span>
        <b>{file.Name}</b>
        <small>{problem || fileSize(file.Size)}</small>
      </span>
    </button>
  );
}

function Unsent({ chat, draft, first }: { chat: Chat; draft: Draft; first: boolean }) {
  const w = words();
  const failed = draft.state === "failed";
  const progress = draft.file && !draft.content ? fill(w.uploading, Math.round(draft.file.progress * 100)) : w.sending;
  const foot = failed ? (
    <p class="unsent" role="alert">
      <span>
        {w.failed}: {draft.error}
      </span>
      <button type="button" onClick={() => chat.outbox.resend(draft.id)}>
        {w.resend}
      </button>
      <button type="button" onClick={() => chat.outbox.discard(draft.id)}>
        {w.discard}
      </button>
    </p>
  ) : (
    <p class="unsent">{progress}</p>
  );
  return (
    <Bubble chat={chat} from={chat.me} at={draft.at} first={first} named={false} picture={!!draft.file?.preview} state={draft.state} foot={foot}>
      {draft.file?.preview ? (
        <span class="frame">
          <img src={draft.file.preview} alt={draft.file.file.name} />
        </span>
      ) : draft.file ? (
        <span class="file">
          <Paper />
          <span>
            <b>{draft.file.file.name}</b>
            <small>{fileSize(draft.file.file.size)}</small>
          </span>
        </span>
      ) : (
        <Text content={draft.content} markdown={false} />
      )}
    </Bubble>
  );
}
