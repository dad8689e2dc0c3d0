/** What happens to the page around a stream, where there is one: in Node nothing does. */
export interface PageWatcher {
  /** The page is looked at again, or the network is back: `network` says that it is another one. */
  awake(network: boolean): void;
  /** The platform says that there is no network. */
  offline(): void;
}

/** watchPage tells a watcher until the function it answers is called. */
export function watchPage(watcher: PageWatcher): () => void {
  if (typeof globalThis.addEventListener !== "function") return () => {};
  const stop = new AbortController();
  const on = (target: EventTarget | undefined, kind: string, act: (event: Event) => void) =>
    target?.addEventListener(kind, act, { signal: stop.signal });
  on(globalThis, "online", () => watcher.awake(true));
  on(globalThis, "offline", () => watcher.offline());
  on(globalThis.document, "visibilitychange", () => {
    if (globalThis.document.visibilityState === "visible") watcher.awake(false);
  });
  on(globalThis, "pageshow", (event) => {
    // A page out of the back-forward cache comes with its connections cut and nobody told.
    if ((event as PageTransitionEvent).persisted) watcher.awake(true);
  });
  return () => stop.abort();
}

/** isOffline says that the platform is sure of having no network. */
export function isOffline(): boolean {
  return globalThis.navigator?.onLine === false;
}
