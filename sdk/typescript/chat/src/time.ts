import { language } from "./look.js";
import { words } from "./words.js";

// Times come as Unix microseconds.

function locale(): string {
  return language.value === "zh" ? "zh-CN" : "en-GB";
}

export function clock(micros: number): string {
  return new Date(micros / 1000).toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** day names a day: today, yesterday, or its date. */
export function day(micros: number): string {
  const then = new Date(micros / 1000);
  const now = new Date();
  if (sameDay(then, now)) return words().today;
  now.setDate(now.getDate() - 1);
  if (sameDay(then, now)) return words().yesterday;
  const year = then.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return then.toLocaleDateString(locale(), { year, month: "long", day: "numeric", weekday: "short" });
}

/** brief is for lists: the time today, else the day. */
export function brief(micros: number): string {
  if (micros === 0) return "";
  const then = new Date(micros / 1000);
  const now = new Date();
  if (sameDay(then, now)) return clock(micros);
  now.setDate(now.getDate() - 1);
  if (sameDay(then, now)) return words().yesterday;
  return then.toLocaleDateString(locale(), { month: "numeric", day: "numeric" });
}

export function full(micros: number): string {
  return new Date(micros / 1000).toLocaleString(locale(), { dateStyle: "long", timeStyle: "short" });
}

export function sameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString();
}

export function fileSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const unit = bytes < 1024 ** 2 ? ["kB", 1024] : bytes < 1024 ** 3 ? ["MB", 1024 ** 2] : ["GB", 1024 ** 3];
  return `${(bytes / (unit[1] as number)).toFixed(1)} ${unit[0]}`;
}
