import { spawn, execFileSync, type ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";

/** The root of the Go module. */
export const root = resolve(import.meta.dirname, "../../..");

/** build makes a Go program of ours and answers where it is. */
export function build(pkg: string, name: string): string {
  const program = resolve(root, ".cache", name);
  mkdirSync(resolve(root, ".cache"), { recursive: true });
  execFileSync("go", ["build", "-o", program, pkg], { cwd: root, stdio: "inherit" });
  return program;
}

/** start runs a program until end is called, once it has printed what is looked for; it answers the first group of that. */
export async function start(program: string, args: string[], ready: RegExp): Promise<{ found: string; end: () => Promise<void> }> {
  const child: ChildProcess = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  let said = "";
  const found = await new Promise<string>((done, fail) => {
    const hear = (text: Buffer) => {
      said += text;
      const match = ready.exec(said);
      if (match) done(match[1] ?? match[0]);
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("exit", () => fail(new Error(`${program} ended:\n${said}`)));
  });
  return {
    found,
    end: async () => {
      child.stdin?.end();
      child.kill("SIGTERM");
      await gone;
    },
  };
}
