// What the page keeps in the browser. A browser that keeps nothing (private windows, full disks) costs convenience only.

export function load<T>(name: string): T | undefined {
  try {
    const text = localStorage.getItem(`xuangate.${name}`);
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

export function store(name: string, value: unknown): void {
  try {
    if (value === undefined) localStorage.removeItem(`xuangate.${name}`);
    else localStorage.setItem(`xuangate.${name}`, JSON.stringify(value));
  } catch {
    // Nothing to be done about it.
  }
}
