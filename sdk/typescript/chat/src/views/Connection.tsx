import { useEffect, useState } from "preact/hooks";
import type { Chat } from "../chat.js";
import { fill, words } from "../words.js";

/** How the connection is, when it is not as it should be. What is short is not worth a word. */
const patience = 1_500;

export function Connection({ chat }: { chat: Chat }) {
  const w = words();
  const state = chat.state.value;
  const [now, setNow] = useState(Date.now());
  const [since, setSince] = useState(Date.now());
  const online = state.status === "online";
  useEffect(() => setSince(Date.now()), [online]);
  useEffect(() => {
    if (online) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [online]);
  const text = online ? upstreamText(chat) : state.offline ? w.offlineNow : now - since < patience ? "" : state.status === "waiting" && state.retryAt ? fill(w.reconnectIn, Math.max(1, Math.ceil((state.retryAt - now) / 1000))) : w.connecting;
  return (
    <div class="connection" role="status" data-status={state.status} data-transport={state.transport}>
      {text && <p>{text}</p>}
    </div>
  );
}

function upstreamText(chat: Chat): string {
  switch (chat.upstream.value) {
    case "kicked":
    case "refused":
      return words().upstreamKicked;
    case "connecting":
    case "backoff":
      return words().upstreamWaiting;
  }
  return "";
}
