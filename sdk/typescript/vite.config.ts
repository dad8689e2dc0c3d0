import { defineConfig } from "vite";

// The library: one ES module. Its types are tsc's work (tsconfig.build.json).
export default defineConfig({
  build: {
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "index" },
    target: "es2022",
    sourcemap: true,
  },
});
