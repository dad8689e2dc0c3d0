import type { Schemas } from "./client.js";
import { Code, problemOf } from "./errors.js";
import { address, ask, frameOf, lateness, type Attempt, type Frame } from "./transports.js";

/** How long a poll waits at the server, in seconds. */
const timeout = 25;

/** poll hears by asking again and again. The first question waits for nothing, so that it shows at once whether polls get through. */
export async function* poll(attempt: Attempt): AsyncGenerator<Frame, void> {
  let wait = 0;
  for (;;) {
    attempt.alive(wait * 1000 + lateness);
    const response = await ask(attempt, address(attempt, "poll", { timeout: String(wait) }));
    const problem = isAnswer(response) ? undefined : await problemOf(response);
    if (problem && problem.code !== Code.PositionLost) throw problem;
    if (wait === 0) yield { type: "open" };
    wait = timeout;
    if (problem) {
      // The position to go on from is the last word of the sentence.
      const position = problem.message.split(" ").at(-1) ?? "";
      attempt.after = position;
      yield { type: "event", kind: "reset", position, data: undefined };
      continue;
    }
    const { data } = (await response.json()) as { data: Schemas["Poll"] };
    for (const each of data.Events ?? data.Msg ?? []) yield frameOf(each);
    attempt.after = data.Position;
    yield { type: "position", position: data.Position };
  }
}

/** isAnswer tells a poll's answer from a page that somebody in between gave instead. */
function isAnswer(response: Response): boolean {
  return response.ok && !!response.headers.get("Content-Type")?.startsWith("application/json");
}
