import { defineConfig } from "vitest/config";

// Everything runs against real gateways: `xuangate dev` (test/gateway.ts), and the stage of test/e2e that breaks things.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/gateway.ts",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
