/** `onex dev` as a person uses it: save, see what the check says, and runs that go on under the new code. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "dist/cli/main.js");
const { ONEX_STORE: _store, FORCE_COLOR: _colour, ...env } = process.env;

const source = (word: string) => `
import { compute, signal, workflow } from "onex";
import { z } from "zod";
const go = signal({ name: "go", payload: z.string() });
const greet = compute({ name: "greet", input: z.string() }, (name) => "${word}, " + name);
export const hello = workflow({ name: "hello", version: "1.0.0", input: z.object({}), timeout: "1h" }, function* () {
  const name = yield* go.wait();
  return yield* greet(name);
});
`;

let folder: string;
let child: ChildProcess | undefined;
let said = "";
afterEach(() => {
  child?.kill("SIGKILL");
  child = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Resolves when the text was said after what was waited for before. */
async function says(text: string): Promise<void> {
  for (;;) {
    const at = said.indexOf(text);
    if (at >= 0) {
      said = said.slice(at + text.length);
      return;
    }
    if (!child?.stderr) throw new Error("it has not begun");
    const { signal, abort } = stopper();
    const gone = once(child, "exit", { signal }).then(() => {
      throw new Error(`it ended without saying "${text}": ${said}`);
    });
    await Promise.race([once(child.stderr, "data", { signal }), gone]).finally(abort);
  }
}
function stopper(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
function onex(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, env }, (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
}

function begin(): void {
  folder = mkdtempSync(join(tmpdir(), "onex-dev-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/onex"));
  symlinkSync(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "hello.ts"), source("Hello"));
  said = "";
  child = spawn(process.execPath, [main, "dev", "hello.ts"], { cwd: folder, env });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
}

test("a save that passes takes over, also of a run under way; one that does not changes nothing; Ctrl-C ends it", async () => {
  begin();
  await says("ready: hello@1.0.0");
  const first = spawn(process.execPath, [main, "run", "hello.ts", "--run-id", "one"], { cwd: folder, env });
  await says("run one  hello@1.0.0");
  await says("waits for signal go");
  // It waits for its run, and would drive it while one worker follows another.
  first.kill("SIGKILL");

  writeFileSync(join(folder, "hello.ts"), source("Howdy"));
  await says("saved: hello.ts");
  await says("ready: hello@1.0.0");
  writeFileSync(join(folder, "hello.ts"), `${source("Broken")}\nexport const x = ;`);
  await says("Expression expected");
  await says("the code from before goes on");

  await onex("signal", "one", "go", '"Ada"');
  await says("completed after");
  expect(await onex("show", "one", "--json")).toContain('"Howdy, Ada"');

  // Runs that are still told of at the end are no reason to complain.
  writeFileSync(join(folder, "hello.ts"), source("Hi"));
  await says("ready: hello@1.0.0");
  const second = spawn(process.execPath, [main, "run", "hello.ts", "--run-id", "two"], { cwd: folder, env });
  await says("run two  hello@1.0.0");
  await says("waits for signal go");
  second.kill("SIGKILL");
  const ended = new Promise((resolve) => child?.once("close", resolve));
  child?.stdout?.resume();
  child?.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(said).not.toContain("error");
});

test("a store that is removed under it is told, and a new one taken up", async () => {
  begin();
  await says("ready: hello@1.0.0");
  for (const file of ["onex.db", "onex.db-wal", "onex.db-shm", "onex.db-owner", "onex.db-wake"])
    rmSync(join(folder, file), { force: true });
  await says("lost: sqlite:onex.db was removed or replaced");
  await says("ready: hello@1.0.0");
  const run = spawn(process.execPath, [main, "run", "hello.ts", "--run-id", "two"], { cwd: folder, env });
  await says("run two  hello@1.0.0");
  run.kill("SIGKILL");
});

test.skipIf(process.platform !== "linux")("what it began ends with it, also by kill -9", async () => {
  begin();
  await says("ready: hello@1.0.0");
  const [owner = ""] = readFileSync(`/proc/${child?.pid}/task/${child?.pid}/children`, "utf8").trim().split(" ");
  expect(isAlive(Number(owner))).toBe(true);
  child?.kill("SIGKILL");
  await expect.poll(() => isAlive(Number(owner))).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
