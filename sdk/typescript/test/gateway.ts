import type { TestProject } from "vitest/node";
import { build, start } from "./programs.js";

declare module "vitest" {
  interface ProvidedContext {
    /** A gateway of `xuangate dev` for all tests: its address. */
    gateway: string;
    /** The stage of test/e2e: its address. */
    stage: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const gateway = await start(build("./cmd/xuangate", "xuangate"), ["dev", "--addr", "127.0.0.1:0"], /API +(http:\S+)/);
  const stage = await start(build("./test/e2e/serve", "stage"), [], /stage (http:\S+)/);
  project.provide("gateway", gateway.found);
  project.provide("stage", stage.found);
  return async () => {
    await Promise.all([gateway.end(), stage.end()]);
  };
}
