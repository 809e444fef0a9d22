/** A command that is traced: the provider comes by `--import`, and has its spans sent before the process ends. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a command sends what a batch still holds", async () => {
  writeFileSync(join(folder, "hello.yaml"), "onex: v1\nkind: workflow\nname: hello\nversion: 1.0.0\nsteps: { a: { set: 1 } }\n");
  writeFileSync(
    join(folder, "tracing.mjs"),
    `import { createRequire } from "node:module";
    const require = createRequire(${JSON.stringify(join(root, "package.json"))});
    const { trace } = require("@opentelemetry/api");
    const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
    const exporter = {
      export: (spans, done) => setTimeout(() => {
        for (const { name } of spans) console.error("sent " + name);
        done({ code: 0 });
      }, 20),
      shutdown: async () => {},
    };
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] }));`,
  );
  const args = ["--import", "./tracing.mjs", join(root, "dist/cli/main.js"), "run", "hello.yaml"];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: folder, env: { PATH: process.env.PATH } });
  expect(stdout).toBe("1\n");
  expect(stderr).toContain("sent onex.run.start hello");
  expect(stderr).toContain("sent onex.run hello");
});
