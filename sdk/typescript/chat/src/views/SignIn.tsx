import { useState } from "preact/hooks";
import { problemOf } from "../problems.js";
import { ended, signIn } from "../session.js";
import { words } from "../words.js";
import { Appearance } from "./Appearance.js";

export function SignIn() {
  const w = words();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setProblem("");
    try {
      await signIn(String(form.get("account")).trim(), String(form.get("password")));
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  const why = { kicked: w.kicked, token: w.tokenEnded, superseded: w.superseded };
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <img src="./icon.svg" alt="" width="56" height="56" />
        <h1>Xuangate</h1>
        <p class="soft">{w.welcome}</p>
        {ended.value && (
          <div class="banner" role="alert" data-ended={ended.value}>
            <b>{why[ended.value]}</b>
            {ended.value === "kicked" && <p>{w.kickedHint}</p>}
          </div>
        )}
        <label>
          {w.account}
          <input name="account" required maxLength={30} autocomplete="username" autocapitalize="none" spellcheck={false} autofocus />
        </label>
        <label>
          {w.password}
          <input name="password" type="password" required autocomplete="current-password" />
        </label>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="primary" disabled={busy}>
          {busy ? w.signingIn : w.signIn}
        </button>
      </form>
      <Appearance />
    </main>
  );
}
