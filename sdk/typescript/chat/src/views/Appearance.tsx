import { type Language, language, type Theme, theme } from "../look.js";
import { words } from "../words.js";

/** The page's language and colours. */
export function Appearance() {
  const w = words();
  return (
    <div class="appearance">
      <label>
        <span>{w.language}</span>
        <select value={language.value} onChange={(event) => (language.value = event.currentTarget.value as Language)}>
          <option value="zh">中文</option>
          <option value="en">English</option>
        </select>
      </label>
      <label>
        <span>{w.changeTheme}</span>
        <select value={theme.value} onChange={(event) => (theme.value = event.currentTarget.value as Theme)}>
          <option value="auto">{w.followSystem}</option>
          <option value="light">{w.light}</option>
          <option value="dark">{w.dark}</option>
        </select>
      </label>
    </div>
  );
}
