import { defineConfig } from "vite";

const here = import.meta.dirname;

// The chat, built into the gateway. `make web` rebuilds it; the same sources give the same files, byte for byte.
export default defineConfig({
  root: here,
  base: "./",
  resolve: { alias: { "@xuangate/sdk": `${here}/../src/index.ts` } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: `${here}/../../../gateway/web/chat`,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0, // a data: address would be against the page's policy
  },
});
