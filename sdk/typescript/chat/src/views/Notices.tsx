import { useEffect } from "preact/hooks";
import type { Chat } from "../chat.js";
import { full } from "../time.js";
import { words } from "../words.js";
import { Dialog } from "./Dialog.js";

export function Notices({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const w = words();
  useEffect(() => {
    chat.freshNotices.value = 0;
  });
  return (
    <Dialog title={w.notices} onClose={onClose}>
      {chat.notices.value.length === 0 && <p class="nothing">{w.noNotices}</p>}
      <ul class="notices">
        {chat.notices.value.map((each) => (
          <li key={each.Id}>
            <small>
              {each.Sender?.Name ?? w.system} · {full(each.SendTime)}
            </small>
            <b>{each.Title}</b>
            {each.Subtitle && <span class="soft">{each.Subtitle}</span>}
            <p>{each.Content}</p>
            <span class="actions">
              {each.Url && safe(each.Url) && <Link url={each.Url} label={w.open} />}
              {each.Actions?.filter((action) => safe(action.Url)).map((action) => <Link key={action.Url} url={action.Url} label={action.Label} />)}
            </span>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function Link({ url, label }: { url: string; label: string }) {
  return (
    <a href={url} target="_blank" rel="noreferrer">
      {label}
    </a>
  );
}

/** safe keeps out addresses that are code. */
function safe(url: string): boolean {
  return /^https?:\/\//.test(url);
}
