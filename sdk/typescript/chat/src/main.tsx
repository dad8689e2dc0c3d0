import { render } from "preact";
import "./style.css";
import { chat, resume } from "./session.js";
import { Shell } from "./views/Shell.js";
import { SignIn } from "./views/SignIn.js";

function App() {
  return chat.value ? <Shell key={chat.value.me} chat={chat.value} /> : <SignIn />;
}

resume();
const root = document.getElementById("app");
if (root) render(<App />, root);
