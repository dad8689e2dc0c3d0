import type { ComponentChildren } from "preact";

/** Text shows a message: its addresses as links, and of Markdown what people write in chats: code, bold, italics. It makes elements,
 *  never HTML, so nothing that somebody writes becomes code. */
export function Text({ content, markdown }: { content: string; markdown: boolean }) {
  if (!markdown) return <p class="text">{linked(content)}</p>;
  const parts = content.split(/```(?:\w*\n)?([\s\S]*?)```/);
  return (
    <div class="text">
      {parts.map((part, i) => (i % 2 === 1 ? <pre key={i}>{part.replace(/\n$/, "")}</pre> : part.trim() && <p key={i}>{inline(part.trim())}</p>))}
    </div>
  );
}

const marks = /(`[^`\n]+`|\*\*[^*\n]+\*\*|\*[^*\s][^*\n]*\*)/;

function inline(text: string): ComponentChildren[] {
  return text.split(marks).map((part, i) => {
    if (i % 2 === 0) return linked(part);
    if (part.startsWith("`")) return <code key={i}>{part.slice(1, -1)}</code>;
    if (part.startsWith("**")) return <strong key={i}>{part.slice(2, -2)}</strong>;
    return <em key={i}>{part.slice(1, -1)}</em>;
  });
}

const address = /(https?:\/\/[^\s<>"'，。；！？、（）]+[^\s<>"'.,;:!?)，。；！？、（）])/;

function linked(text: string): ComponentChildren[] {
  return text.split(address).map((part, i) =>
    i % 2 === 0 ? (
      part
    ) : (
      <a key={i} href={part} target="_blank" rel="noreferrer">
        {part}
      </a>
    ),
  );
}
