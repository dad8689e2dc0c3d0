import { type Signal, useSignal } from "@preact/signals";
import type { Chat } from "../chat.js";
import { words } from "../words.js";
import { Avatar, statusWord } from "./Avatar.js";

/** mostShown bounds the list; whoever is not in it is found by searching. Without it a company of thousands stalls the page. */
const mostShown = 200;

export function PeoplePicker({ chat, chosen, without }: { chat: Chat; chosen: Signal<string[]>; without: string[] }) {
  const w = words();
  const query = useSignal("");
  const wanted = query.value.trim().toLowerCase();
  const found = [...chat.users.value.values()]
    .filter((each) => !each.Deleted && !without.includes(each.Session))
    .filter((each) => !wanted || each.RealName.toLowerCase().includes(wanted) || each.Account.toLowerCase().includes(wanted))
    .slice(0, mostShown);
  const toggle = (session: string) => {
    chosen.value = chosen.value.includes(session) ? chosen.value.filter((each) => each !== session) : [...chosen.value, session];
  };
  return (
    <>
      <input class="filter" type="search" placeholder={w.searchPeople} aria-label={w.searchPeople} value={query.value} onInput={(event) => (query.value = event.currentTarget.value)} />
      <ul class="people">
        {found.map((each) => (
          <li key={each.Session}>
            <label>
              <input type="checkbox" checked={chosen.value.includes(each.Session)} onChange={() => toggle(each.Session)} />
              <Avatar session={each.Session} name={each.RealName || each.Account} status={each.Status} />
              <span>
                <b>{each.RealName || each.Account}</b>
                <small>
                  {each.Account} · {statusWord(each)}
                </small>
              </span>
            </label>
          </li>
        ))}
        {found.length === 0 && <li class="nothing">{w.noneFound}</li>}
      </ul>
    </>
  );
}
