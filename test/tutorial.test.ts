/**
 * The tutorial as its reader does it: every command is typed into one shell, every file is written, in the order of the page, and
 * what the page shows must come. `npm install` links the packages of this repository instead; all else is really run.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { linkPackages } from "./linked.ts";

const root = resolve(import.meta.dirname, "..");
const patienceMs = 120_000;

interface Block {
  readonly language: string;
  readonly text: string;
  /** The line in front of it, which names the file. */
  readonly lead: string;
}
const page = readFileSync(join(root, "docs/guide/tutorial.md"), "utf8");
const blocks: readonly Block[] = [...page.matchAll(/([^\n]*)\n\n```(\w+)\n([\s\S]*?)^```$/gm)].map(
  ([, lead = "", language = "", text = ""]) => ({
    language,
    text,
    lead,
  }),
);

let folder = "";
let shell: Shell;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-tutorial-"));
  link(folder);
  shell = new Shell(folder);
});
afterAll(async () => {
  await shell.close();
  rmSync(folder, { recursive: true, force: true });
});

test("every command works, every file is used, and every output is seen", async () => {
  expect(blocks.length).toBeGreaterThan(30);
  const node = join(folder, "my-shop/src/my_shop/nodes/node_shop_order_orchestrator/v1_0_0");
  let last = "";
  for (const [i, block] of blocks.entries()) {
    if (block.language === "sh") {
      last = block.text;
      const code = await shell.type(block.text);
      const fails = blocks[i + 1]?.language === "text" && /^✗/m.test(blocks[i + 1]?.text ?? "");
      expect(code !== 0, `${block.text}\nended with ${code}\n${shell.output}`).toBe(fails);
    } else if (block.language === "text") await seen(block.text, last);
    else {
      const [, name = ""] = /`([\w./-]+\.(?:ts|yaml))`/.exec(block.lead) ?? [];
      expect(name, `a block that names no file: ${block.lead}`).not.toBe("");
      const file = name.startsWith("tests/") ? join(folder, "my-shop", name) : join(node, name);
      if (/\bbecomes?\b/.test(block.lead)) writeFileSync(file, replaced(readFileSync(file, "utf8"), block.text));
      else writeFileSync(file, block.text);
    }
  }
  // Some forty processes: half a minute, where nothing else runs.
}, 900_000);

/** Waits until all lines have come; what only looks is typed again, since a process in the background is as fast as it is. */
async function seen(expected: string, typed: string): Promise<void> {
  const looks = typed
    .trim()
    .split("\n")
    .every((line) => /^(?:cat|grep|npx onex (?:show|ls|graph)) /.test(line));
  for (const until = Date.now() + patienceMs; ; ) {
    const missing = missingIn(shell.output, expected);
    if (missing.length === 0) return;
    if (!shell.hasJobs || Date.now() > until) expect.fail(`${typed}\ndid not show\n${missing.join("\n")}\nbut\n${shell.output}`);
    await pause(50);
    if (looks) await shell.type(typed);
  }
}

/** The lines of the page that did not come. `…` stands for anything; times, keys and process ids are those of each reader. */
function missingIn(output: string, expected: string): readonly string[] {
  const lines = output.split("\n").map(plain);
  return expected.split("\n").filter((line) => {
    const parts = plain(line).split("…");
    return !lines.some((candidate) => {
      let at = 0;
      return parts.every((part) => {
        const found = candidate.indexOf(part.trim(), at);
        at = found + part.trim().length;
        return found >= 0;
      });
    });
  });
}

function plain(line: string): string {
  return line
    .replaceAll(/\d+(?:\.\d+)? ?m?s\b/g, "TIME")
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, "DATE")
    .replaceAll(/\([0-9a-f]{32}\)/g, "KEY")
    .replaceAll(/process \d+/g, "PROCESS")
    .replaceAll(/\s+/g, " ")
    .trim();
}

/** Each line takes the place of the one line that begins as it does. */
function replaced(text: string, lines: string): string {
  return lines
    .trimEnd()
    .split("\n")
    .reduce((before, line) => {
      const [begin = ""] = /^\s*(?:export const \w+|\{ name: "[\w-]+"|\w+:)/.exec(line) ?? [];
      const old = before.split("\n").filter((each) => begin !== "" && each.startsWith(begin));
      expect(old, `lines that begin as ${line}`).toHaveLength(1);
      return before.replace(old[0] ?? "", () => line);
    }, text);
}

/** As `npm install` leaves it. */
function link(project: string): void {
  const modules = join(project, "node_modules");
  linkPackages(project, ["@types", "typescript", "vitest", "zod"]);
  mkdirSync(join(modules, ".bin"));
  for (const [name, main] of [
    ["onex", join(root, "dist/cli/main.js")],
    ["tsc", join(root, "node_modules/typescript/bin/tsc")],
    ["vitest", join(root, "node_modules/vitest/vitest.mjs")],
  ] as const) {
    const bin = join(modules, ".bin", name);
    writeFileSync(bin, `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
    chmodSync(bin, 0o755);
  }
}

/** One shell that keeps its folder, its variables and its jobs, as a terminal does. */
class Shell {
  /** What came since the last block was typed, of processes in the background too. */
  output = "";
  /** Whether something was begun in the background, and may show more. */
  hasJobs = false;
  readonly #process: ChildProcess;
  #blocks = 0;
  #ended = (_code: number): void => {};

  constructor(cwd: string) {
    const { ONEX_STORE: _store, FORCE_COLOR: _colour, NODE_ENV: _mode, VITEST: _vitest, ...env } = process.env;
    this.#process = spawn("bash", ["--noprofile", "--norc"], { cwd, env: { ...env, NO_COLOR: "1", LINKED: join(cwd, "node_modules") } });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    // npx runs what is installed, without asking the registry.
    this.#process.stdin?.write(`exec 2>&1
npx() { local name=$1; shift; "node_modules/.bin/$name" "$@"; }
npm() { if [ "$1" = install ]; then cp -RP "$LINKED" .; else command npm "$@"; fi; }
`);
  }

  /** Resolves with the exit code of the last command when the shell is back. */
  type(text: string): Promise<number> {
    this.output = "";
    this.hasJobs ||= /&$/m.test(text);
    const mark = `-- end of block ${++this.#blocks}:`;
    const ended = new Promise<number>((resolve) => {
      this.#ended = (code) => resolve(code);
    });
    this.#process.stdin?.write(`{ ${text}\n} </dev/null; echo "${mark} $?"\n`);
    const late = AbortSignal.timeout(patienceMs);
    const overdue = new Promise<never>((_, reject) => {
      late.addEventListener("abort", () => reject(new Error(`${text}\nhas not ended after ${patienceMs / 1000} s:\n${this.output}`)));
    });
    return Promise.race([ended, overdue]);
  }

  #take(text: string): void {
    this.output += text;
    const [, code] = new RegExp(`^-- end of block ${this.#blocks}: (\\d+)$`, "m").exec(this.output) ?? [];
    if (code !== undefined) this.#ended(Number(code));
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.stdin?.end('[ -z "$(jobs -p)" ] || kill -9 $(jobs -p)\nexit\n');
    await gone;
  }
}
