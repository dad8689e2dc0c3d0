import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Chat } from "../chat.js";
import { load, store } from "../keep.js";
import type { Thread } from "../thread.js";
import { words } from "../words.js";
import { Clip, Send } from "./icons.js";

/** Where one writes. What is not sent yet stays with its conversation, over reloads, too. */
export function Composer({ chat, thread, onSend }: { chat: Chat; thread: Thread; onSend: () => void }) {
  const w = words();
  const place = `draft.${chat.me}.${thread.id}`;
  const text = useSignal(load<string>(place) ?? "");
  const box = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);

  useLayoutEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`; // style.css bounds it
  }, [text.value]);
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) box.current?.focus(); // where it opens no keyboard on the screen
  }, []);

  const write = (value: string) => {
    text.value = value;
    store(place, value || undefined);
  };
  const send = () => {
    const content = text.value.trim();
    if (!content) return;
    chat.outbox.send(thread.id, 1, content);
    write("");
    onSend();
    box.current?.focus();
  };
  const files = chat.can("files");
  const refused = useSignal(false);
  const attach = (list: FileList | null | undefined) => {
    refused.value = !files && Boolean(list?.length);
    if (!files) return;
    for (const file of list ?? []) chat.outbox.send(thread.id, file.type.startsWith("image/") ? 3 : 4, "", file);
    if (list?.length) onSend();
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        attach(event.dataTransfer?.files);
      }}
    >
      {refused.value && (
        <p class="problem" role="alert">
          {w.noFiles}
        </p>
      )}
      <button type="button" class="plain" aria-label={w.attach} title={files ? undefined : w.noFiles} disabled={!files} onClick={() => picker.current?.click()}>
        <Clip />
      </button>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label={w.attach}
        onChange={(event) => {
          attach(event.currentTarget.files);
          event.currentTarget.value = "";
        }}
      />
      <textarea
        ref={box}
        rows={1}
        placeholder={w.typeMessage}
        aria-label={w.typeMessage}
        value={text.value}
        onInput={(event) => write(event.currentTarget.value)}
        onPaste={(event) => event.clipboardData?.files.length && (event.preventDefault(), attach(event.clipboardData.files))}
        onKeyDown={(event) => {
          // While an input method composes, Enter is its own.
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <button type="submit" class="primary round" aria-label={w.send} disabled={!text.value.trim()}>
        <Send />
      </button>
    </form>
  );
}
