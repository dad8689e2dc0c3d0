import { signal } from "@preact/signals";

// The open conversation stands in the address, so that a reload, a bookmark and the back button find it.

function read(): string | undefined {
  const match = /^#\/c\/(.+)$/.exec(location.hash);
  return match?.[1] ? decodeURIComponent(match[1]) : undefined;
}

/** The id of the open conversation. */
export const openId = signal(read());

window.addEventListener("hashchange", () => {
  openId.value = read();
});

export function hrefOf(id: string): string {
  return `#/c/${encodeURIComponent(id)}`;
}

export function go(id: string | undefined): void {
  location.hash = id ? hrefOf(id) : "#/";
}
