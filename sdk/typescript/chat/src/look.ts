import { effect, signal } from "@preact/signals";
import { load, store } from "./keep.js";

export type Theme = "auto" | "light" | "dark";
export type Language = "zh" | "en";

export const theme = signal<Theme>(load("theme") ?? "auto");
export const language = signal<Language>(load("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en"));

effect(() => {
  store("theme", theme.value === "auto" ? undefined : theme.value);
  document.documentElement.dataset["theme"] = theme.value;
});
effect(() => {
  store("language", language.value);
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
});
