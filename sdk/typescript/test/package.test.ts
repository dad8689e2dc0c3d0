import { execFile } from "node:child_process";
import { readFileSync, writeFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { expect, inject, test } from "vitest";
import { root } from "./programs.js";

const folder = resolve(import.meta.dirname, "..");

test("the package is at most 15 kB compressed", () => {
  const size = gzipSync(readFileSync(resolve(folder, "dist/index.js"))).length;
  console.log(`@xuangate/sdk: ${size} bytes compressed`);
  expect(size).toBeLessThanOrEqual(15_000);
});

test("README's program of under twenty lines signs in, sends and listens", async () => {
  const [, program = ""] = /cat > hello\.mjs <<'EOF'\n([\s\S]*?)EOF\n/.exec(readFileSync(resolve(root, "README.md"), "utf8")) ?? [];
  expect(program.split("\n").length).toBeLessThan(20);
  expect(program).toContain("http://127.0.0.1:8080");
  const file = resolve(folder, "test/hello.tmp.mjs"); // within the package, so that it finds it by its name
  writeFileSync(file, program.replace("http://127.0.0.1:8080", inject("gateway")));
  try {
    await new Promise<void>((done, fail) => {
      const child = execFile(process.execPath, [file], (error) => fail(error ?? new Error("it ended")));
      let said = "";
      child.stdout?.on("data", (text: string) => {
        said += text;
        if (said !== "4: 大家好\n") return;
        child.removeAllListeners("exit");
        child.kill();
        done();
      });
    });
  } finally {
    rmSync(file);
  }
});

test("what is published is the module, its types, and what to know about it", async () => {
  const said = await promisify(execFile)("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: folder });
  const [{ files }] = JSON.parse(said.stdout) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const path of ["LICENSE", "README.md", "package.json", "dist/index.js", "dist/index.js.map", "dist/index.d.ts"]) expect(paths).toContain(path);
  expect(paths.filter((path) => !/^(LICENSE|README\.md|package\.json|dist\/[\w.]+\.(js|js\.map|d\.ts))$/.test(path))).toEqual([]);
});
