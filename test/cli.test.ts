/** The command line as a person meets it: the built `dist/cli/main.js` in folders of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { type Said, typed } from "./typed.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "dist/cli/main.js");

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}
interface Going {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when stderr holds the text; rejects when the process ends without. */
  says(text: string): Promise<void>;
}

const folders: string[] = [];
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A project folder with these files, `onex` and `zod` installed. */
function project(files: Readonly<Record<string, string>> = {}): Project {
  const folder = mkdtempSync(join(tmpdir(), "onex-cli-"));
  folders.push(folder);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/onex"));
  symlinkSync(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return new Project(folder);
}

class Project {
  readonly folder: string;
  constructor(folder: string) {
    this.folder = folder;
  }
  start(args: readonly string[], options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {}): Going {
    const { ONEX_STORE: _store, FORCE_COLOR: _colour, ...env } = process.env;
    const child = spawn(process.execPath, [main, ...args], { cwd: this.folder, env: { ...env, NODE_ENV: "test", ...options.env } });
    children.add(child);
    let stdout = "";
    let stderr = "";
    const listeners = new Set<() => void>();
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      for (const listener of listeners) listener();
    });
    child.stdin.on("error", () => {}).end(options.input ?? "");
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        children.delete(child);
        resolve({ code, signal, stdout, stderr });
      });
    });
    return {
      child,
      ended,
      says: (text) =>
        new Promise((resolve, reject) => {
          const look = () => {
            if (!stderr.includes(text)) return;
            listeners.delete(look);
            resolve();
          };
          listeners.add(look);
          void ended.then((end) => reject(new Error(`it ended with ${end.code} and never said "${text}":\n${end.stderr}`)));
          look();
        }),
    };
  }
  onex(args: readonly string[], options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }
  /** The same without a process. */
  typed(args: readonly string[], input?: string): Promise<Said> {
    return typed(this.folder, args, input);
  }
  write(name: string, text = ""): void {
    writeFileSync(join(this.folder, name), text);
  }
  read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }
  /** Waits until there is such a file. */
  async appears(name: string): Promise<void> {
    while (!existsSync(join(this.folder, name))) await pause(10);
  }
}

const hello = `
import { effect, Fatal, signal, workflow } from "onex";
import { z } from "zod";
const greet = effect({ name: "greet", input: z.object({ name: z.string() }), readonly: true }, async ({ name }) => {
  console.log("greeting", name);
  if (name === "nobody") throw new Fatal("NOBODY", { message: "there is \\x1b[2Jnobody" });
  return "hello " + name;
});
export const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });
export const hello = workflow({ name: "hello", input: z.object({ name: z.string().default("world") }) }, function* (input) {
  return yield* greet(input);
});
export const approved = workflow({ name: "approved", input: z.object({}) }, function* () {
  const { by } = yield* approval.wait();
  return by;
});
`;

/** An effect that begins, and ends only when the file "go" is there; then another one. */
const hold = (says: string) => `
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { effect, workflow } from "onex";
import { z } from "zod";
const wait = effect({ name: "wait", input: z.object({}), ${says}, timeout: "10m" }, async (_, { signal }) => {
  appendFileSync("begun", process.pid + "\\n");
  while (!existsSync("go")) await setTimeout(10, undefined, { signal });
  return process.pid;
});
const after = effect({ name: "after", input: z.object({}), readonly: true }, async () => {
  appendFileSync("after", "once\\n");
});
export const held = workflow({ name: "held", input: z.object({}) }, function* () {
  const pid = yield* wait({});
  yield* after({});
  return pid;
});
`;
const holdAgain = hold("readonly: true");
const holdOnce = hold('irreversible: "it is a test", idempotent: false');

describe("what can be typed", () => {
  test("--version and --help are data", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(await project().onex(["--version"])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: "" });
    const help = await project().onex(["--help"]);
    expect(help.code).toBe(0);
    for (const command of ["run", "work", "ls", "show", "signal", "cancel", "pause", "resume", "fork", "retry", "check"])
      expect(help.stdout).toContain(`  ${command}`);
  });

  test("what is typed wrong ends a process with exit code 2", async () => {
    const { code, stdout, stderr } = await project().onex(["runn"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Did you mean run?");
  });

  test.each([
    [["runn"], "Did you mean run?"],
    [["run"], "missing required argument 'file'"],
    [["run", "a.yaml", "--inptu", "{}"], "Did you mean --input?"],
    [["ls", "--status", "lost"], "Allowed choices"],
    [["ls", "--limit", "many"], "USAGE"],
    [["run", "hello.mjs", "--store", "my.db"], "did you mean sqlite:my.db?"],
    [["run", "hello.mjs", "--store", "postgres://db"], "STORE_URL_INVALID"],
    [["run", "helo.mjs"], 'FILE_MISSING: there is no file helo.mjs. Did you mean "hello.mjs"?'],
    [["run", "."], "is a folder"],
    [["run", "hello.mjs#hello", "--input", "@nowhere.json"], "FILE_MISSING: --input @nowhere.json"],
    [["run", "hello.mjs#hello", "--input", "{name: 1}"], "INPUT_NOT_JSON: --input:1:2:"],
    [["work", "hello.mjs", "--store", "memory:"], "USAGE"],
    [["resume", "r-1", "--step", "a"], "--retry"],
    [["resume", "r-1", "--retry"], "--step"],
    [["resume", "r-1", "--step", "a", "--retry", "--fail"], "not --retry and --fail"],
    [["check", "nowhere.yaml"], "FILE_MISSING"],
  ])("%j is refused with exit code 2, before a module is loaded", async (args, words) => {
    const { code, stdout, stderr } = await project({ "hello.mjs": "throw new Error('it is loaded');" }).typed(args);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test.each([
    [["run", "hello.mjs"], "WORKFLOW_AMBIGUOUS"],
    [["run", "hello.mjs#helo"], 'it has approved or hello. Did you mean "hello"?'],
    [["run", "hello.mjs#hello", "--input", '{"name": 7}'], "INPUT_INVALID"],
  ])("%j is refused with exit code 2", async (args, words) => {
    const { code, stdout, stderr } = await project({ "hello.mjs": hello }).onex(args);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test.each([
    ['{"a": [1,]}', "1:10"],
    ['{"a": 1,\n "b" 2}', "2:6"],
    ['{"a"', "1:5"],
    ["", "it is empty"],
    ["[1] 2", "1:5"],
    ['["a\nb"]', "1:2"],
    ["nul", "1:1"],
  ])("a mistake in JSON is named by its place: %j", async (input, place) => {
    const { code, stderr } = await project({ "hello.mjs": hello }).typed(["run", "hello.mjs#hello", "--input", "-"], input);
    expect(stderr).toContain(place);
    expect(code).toBe(2);
  });
});

describe("run", () => {
  test("prints the output on stdout, and everything else on stderr", async () => {
    const { code, stdout, stderr } = await project({ "hello.mjs": hello }).onex(["run", "hello.mjs#hello"]);
    expect(stderr).toContain("greet: completed");
    expect(stderr).toContain("greeting world");
    expect(stderr).not.toContain("\x1b");
    expect(JSON.parse(stdout)).toBe("hello world");
    expect(code).toBe(0);
  });

  test("takes its input from text, a file and standard input", async () => {
    const here = project({ "hello.mjs": hello, "input.json": '\uFEFF{"name": "file"}' });
    const of = async (source: string, input?: string) =>
      (await here.onex(["run", "hello.mjs#hello", "--input", source], input === undefined ? {} : { input })).stdout;
    expect(await of('{"name": "text"}')).toBe('"hello text"\n');
    expect(await of("@input.json")).toBe('"hello file"\n');
    expect(await of("-", '{"name": "stdin"}')).toBe('"hello stdin"\n');
  });

  test("--json prints the run; the same --run-id is the same run", async () => {
    const here = project({ "hello.mjs": hello });
    const args = ["run", "hello.mjs#hello", "--run-id", "r-1", "--json"];
    const first = await here.onex(args);
    expect(JSON.parse(first.stdout)).toMatchObject({
      runId: "r-1",
      workflow: "hello",
      version: "1.0.0",
      status: "completed",
      output: "hello world",
      notUndone: [],
    });
    const again = await here.onex(args);
    expect(JSON.parse(again.stdout)).toEqual(JSON.parse(first.stdout));
    expect(again.code).toBe(0);
    const other = await here.onex([...args, "--input", '{"name": "other"}']);
    expect(other.stderr).toContain("RUN_ID_CONFLICT");
    expect(other.code).toBe(2);
  });

  test("a run that fails says why, escaped, and ends with 1", async () => {
    const { code, stdout, stderr } = await project({ "hello.mjs": hello }).onex([
      "run",
      "hello.mjs#hello",
      "--input",
      '{"name": "nobody"}',
    ]);
    expect(stderr).toContain("failed at step greet");
    expect(stderr).toContain("NOBODY: there is \\u001b[2Jnobody");
    expect(stderr).not.toContain("\x1b");
    expect(stdout).toBe("");
    expect(code).toBe(1);
  });

  test("in memory it leaves nothing behind", async () => {
    const here = project({ "hello.mjs": hello });
    expect(await here.onex(["run", "hello.mjs#hello"], { env: { ONEX_STORE: "memory:" } })).toMatchObject({
      code: 0,
      stdout: '"hello world"\n',
    });
    expect(existsSync(join(here.folder, "onex.db"))).toBe(false);
    const listed = await here.onex(["ls", "--store", "memory:", "--json"]);
    expect(listed).toMatchObject({ code: 0, stdout: "[]\n" });
    expect(listed.stderr).toContain("memory: is empty when a process starts");
    expect(await here.onex(["show", "r-1", "--store", "memory:"])).toMatchObject({ code: 1 });
  });

  test("loads TypeScript, its imports, and the nodes of a YAML workflow", async () => {
    const here = project({
      "money.ts": "export interface Money { readonly cents: number }\nexport const cents = (money: Money): number => money.cents;\n",
      "nodes.mts": `
        import { compute, effect, service, type Steps } from "onex";
        import { z } from "zod";
        import { cents, type Money } from "./money.ts";
        interface Bank { charge(cents: number): Promise<string> }
        const bank = service<Bank>("bank");
        export const price = compute({ name: "price", input: z.object({ cents: z.number() }) }, (money: Money) => ({ total: cents(money) * 2 }));
        export const charge = effect({ name: "charge", input: z.object({ amount: z.number() }), uses: { bank }, irreversible: "it is a test" },
          async ({ amount }, { bank }) => ({ receipt: await bank.charge(amount) }));
        export const provide = [bank.from({ charge: async (amount) => \`paid \${amount satisfies number}\` })];
        export type Unused = Steps<string>;
      `,
      "shop.yaml": `
onex: v1
kind: workflow
name: shop
version: 1.0.0
timeout: 1h
steps:
  price: { compute: price, with: { cents: "\${ input.cents }" } }
  charge: { effect: charge, with: { amount: "\${ price.total }" } }
output: "\${ charge.receipt }"
`,
    });
    const { code, stdout, stderr } = await here.onex(["run", "shop.yaml", "--nodes", "nodes.mts", "--input", '{"cents": 21}']);
    expect(stderr).toContain("charge: completed");
    expect(stdout).toBe('"paid 42"\n');
    expect(code).toBe(0);
  });

  test("gives a module the copy of onex that the command line is, installed beside it or not", async () => {
    const here = project({
      "bare.ts": `
import { workflow } from "onex";
const anything = { "~standard": { version: 1 as const, vendor: "none", validate: (value: unknown) => ({ value }) } };
export const bare = workflow({ name: "bare", input: anything }, function* () { return 1; });
`,
    });
    rmSync(join(here.folder, "node_modules"), { recursive: true });
    expect(await here.onex(["run", "bare.ts"])).toMatchObject({ code: 0, stdout: "1\n" });
  });

  test.each([
    ["enum.ts", "\nenum Colour { Red }\n", "enum.ts:2:1: TypeScript enum is not supported"],
    ["types.ts", "const x: = 1;\n", "types.ts:1:10:"],
    ["syntax.mjs", "const x = 1;\nconst y = ;\n", "syntax.mjs:2:11:"],
    ["throws.mjs", "\n\nthrow new Error('boom');\n", "throws.mjs:3:7: it threw while it was loaded: Error: boom"],
    ["missing.mjs", "\nimport 'no-such-package';\n", 'missing.mjs:2: it imports "no-such-package", which is not installed'],
    ["ending.ts", "import './enum.js';\n", "write the import with the ending .ts"],
    ["node.mjs", "import { effect } from 'onex';\nexport const bad = effect({ name: 'Bad Name' });\n", "node.mjs:2:20: effect"],
    ["empty.mjs", "export const nothing = 1;\n", "exports no workflow"],
    ["notes.txt", "hello", "is neither YAML"],
  ])("says where %s is wrong", async (name, text, words) => {
    const here = project({ "enum.ts": "enum Colour { Red }\n", [name]: text });
    const { code, stdout, stderr } = await here.onex(["run", name]);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe("");
    expect(code).toBe(name === "empty.mjs" ? 2 : 65);
    expect((await here.onex(["run", name, "--verbose"])).stderr).toMatch(name === "notes.txt" || name === "empty.mjs" ? words : /\n\s+at /);
  });
});

describe("a run in the store", () => {
  test("survives kill -9, and work --until-idle finishes it", async () => {
    const here = project({ "hold.mjs": holdAgain });
    const run = here.start(["run", "hold.mjs", "--run-id", "r-1"]);
    await here.appears("begun");
    run.child.kill("SIGKILL");
    expect((await run.ended).signal).toBe("SIGKILL");
    expect(JSON.parse((await here.onex(["show", "r-1", "--json"])).stdout)).toMatchObject({ status: "running" });
    here.write("go");
    const work = await here.onex(["work", "hold.mjs", "--until-idle"]);
    expect(work.stderr).not.toContain("error");
    expect(work.code).toBe(0);
    expect(JSON.parse((await here.onex(["show", "r-1", "--json"])).stdout)).toMatchObject({ status: "completed" });
    expect(here.read("begun").trim().split("\n")).toHaveLength(2);
    expect(here.read("after")).toBe("once\n");
  });

  test("pauses when nobody knows whether a step happened: exit code 3, and a person settles it", async () => {
    const here = project({ "hold.mjs": holdOnce });
    const run = here.start(["run", "hold.mjs", "--run-id", "r-1"]);
    await here.appears("begun");
    run.child.kill("SIGKILL");
    await run.ended;
    const again = await here.onex(["run", "hold.mjs", "--run-id", "r-1"]);
    expect(again.stderr).toContain("paused at step wait: IN_DOUBT");
    expect(again.stderr).toContain("onex resume r-1 --step wait --retry");
    expect(again.code).toBe(3);
    const shown = await here.onex(["show", "r-1"]);
    expect(shown.stdout).toContain("onex resume r-1 --step wait --output JSON");
    expect(shown.stdout).toContain("IN_DOUBT");
    expect(await here.onex(["resume", "r-1", "--step", "other", "--fail"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("STEP_NOT_PAUSED") as string,
    });
    expect(await here.onex(["resume", "r-1"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("may have happened or not") as string,
    });
    const resumed = await here.onex(["resume", "r-1", "--step", "wait", "--output", "42"]);
    expect(resumed.stderr).toContain("onex work");
    expect(resumed.code).toBe(0);
    expect(await here.onex(["run", "hold.mjs", "--run-id", "r-1"])).toMatchObject({ code: 0, stdout: "42\n" });
    expect(here.read("begun").trim().split("\n")).toHaveLength(1);
    const over = await here.onex(["resume", "r-1"]);
    expect(over.stderr).toContain("RUN_ENDED");
    expect(over.code).toBe(1);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s: drains, leaves the run in the store, says how to go on, ends with %i", async (signal, code) => {
    const here = project({ "hold.mjs": holdOnce });
    const run = here.start(["run", "hold.mjs", "--run-id", "r-1"]);
    await here.appears("begun");
    run.child.kill(signal);
    await run.says("once more to end at once");
    here.write("go");
    const ended = await run.ended;
    expect(ended.stderr).toContain("onex work hold.mjs");
    expect(ended.code).toBe(code);
    expect(existsSync(join(here.folder, "after"))).toBe(false);
    expect((await here.onex(["work", "hold.mjs", "--until-idle"])).code).toBe(0);
    expect(JSON.parse((await here.onex(["show", "r-1", "--json"])).stdout)).toMatchObject({ status: "completed" });
    expect(here.read("begun").trim().split("\n")).toHaveLength(1);
  });

  test("a second signal ends it at once", async () => {
    const here = project({ "hold.mjs": holdAgain });
    const run = here.start(["run", "hold.mjs", "--run-id", "r-1"]);
    await here.appears("begun");
    run.child.kill("SIGTERM");
    await run.says("once more to end at once");
    run.child.kill("SIGTERM");
    expect((await run.ended).code).toBe(143);
    expect(JSON.parse((await here.onex(["show", "r-1", "--json"])).stdout)).toMatchObject({ status: "running" });
  });

  test("beside a running owner it is handed over and waited for", async () => {
    const here = project({ "hold.mjs": holdAgain });
    const work = here.start(["work", "hold.mjs"]);
    await work.says("working on sqlite:onex.db");
    const run = here.start(["run", "hold.mjs"]);
    await run.says("another process drives");
    await here.appears("begun");
    here.write("go");
    const ended = await run.ended;
    expect(JSON.parse(ended.stdout)).toBe(work.child.pid);
    expect(ended.code).toBe(0);
    work.child.kill("SIGTERM");
    expect(await work.ended).toMatchObject({ code: 143, stderr: expect.stringContaining("onex work hold.mjs") as string });
  });

  test("of other code is left alone and named", async () => {
    const here = project({ "hold.mjs": holdAgain, "hello.mjs": hello });
    const run = here.start(["run", "hold.mjs", "--run-id", "r-1"]);
    await here.appears("begun");
    run.child.kill("SIGKILL");
    await run.ended;
    const work = await here.onex(["work", "hello.mjs", "--until-idle"]);
    expect(work.stderr).toContain("does not hold the code of held@1.0.0: r-1");
    expect(work.code).toBe(0);
    expect((await here.onex(["show", "r-1"])).stdout).toContain("VERSION_MISSING");
    here.write("go");
    expect((await here.onex(["work", "hold.mjs", "--until-idle"])).code).toBe(0);
    expect(JSON.parse((await here.onex(["show", "r-1", "--json"])).stdout)).toMatchObject({ status: "completed" });
  });

  test("gets signals", async () => {
    const here = project({ "hello.mjs": hello });
    const run = here.start(["run", "hello.mjs#approved", "--run-id", "r-1"]);
    await run.says("onex signal r-1 approval PAYLOAD-JSON");
    const bad = await here.onex(["signal", "r-1", "approval", "{by}"]);
    expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining("PAYLOAD:1:2") as string });
    const sent = await here.onex(["signal", "r-1", "approval", '{"by": "bob"}', "--id", "m-1"]);
    expect(sent).toMatchObject({ code: 0, stdout: "", stderr: "signal approval is in the inbox of run r-1\n" });
    expect(await run.ended).toMatchObject({ code: 0, stdout: '"bob"\n' });
    const late = await here.onex(["signal", "r-1", "approval", '{"by": "eve"}']);
    expect(late.stderr).toContain("RUN_ENDED");
    expect(late.code).toBe(1);
  });

  test("is cancelled: exit code 1", async () => {
    const here = project({ "hello.mjs": hello });
    const run = here.start(["run", "hello.mjs#approved", "--run-id", "r-1"]);
    await run.says("waits for signal approval");
    expect((await here.onex(["cancel", "r-1", "--reason", "changed my mind"])).code).toBe(0);
    const ended = await run.ended;
    expect(ended.stderr).toContain("cancelled");
    expect(ended.stderr).toContain("changed my mind");
    expect(ended.code).toBe(1);
    expect((await here.onex(["cancel", "r-1"])).stderr).toContain("RUN_ENDED");
  });

  test("is paused and resumed", async () => {
    const here = project({ "hello.mjs": hello });
    const run = here.start(["run", "hello.mjs#approved", "--run-id", "r-1"]);
    await run.says("waits for signal approval");
    expect(await here.onex(["pause", "r-1", "--reason", "lunch"])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("onex resume r-1") as string,
    });
    const paused = await run.ended;
    expect(paused.stderr).toContain("PAUSED: lunch");
    expect(paused.code).toBe(3);
    expect((await here.onex(["show", "r-1"])).stdout).toContain("onex resume r-1");
    expect((await here.onex(["resume", "r-1"])).code).toBe(0);
    await here.onex(["signal", "r-1", "approval", '{"by": "bob"}']);
    expect(await here.onex(["run", "hello.mjs#approved", "--run-id", "r-1"])).toMatchObject({ code: 0, stdout: '"bob"\n' });
    expect(await here.onex(["pause", "r-1"])).toMatchObject({ code: 1, stderr: expect.stringContaining("RUN_ENDED") as string });
  });

  test("is retried and forked: the new id is data", async () => {
    const here = project({ "hello.mjs": hello });
    await here.onex(["run", "hello.mjs#hello", "--run-id", "bad", "--input", '{"name": "nobody"}']);
    const forked = await here.onex(["fork", "bad", "--from", "greet", "--input", '{"name": "eve"}', "--run-id", "good"]);
    expect(forked).toMatchObject({
      code: 0,
      stdout: "good\n",
      stderr: expect.stringContaining("goes on from run bad at step greet") as string,
    });
    expect(forked.stderr).toContain("onex work");
    const retried = await here.onex(["retry", "bad"]);
    expect(retried.code).toBe(0);
    expect((await here.onex(["work", "hello.mjs", "--until-idle"])).code).toBe(0);
    const shown = await here.onex(["show", "good"]);
    expect(shown.stdout).toContain("from bad at step greet");
    expect(shown.stdout).toContain("hello eve");
    expect((await here.onex(["show", retried.stdout.trim()])).stdout).toContain("NOBODY");
    expect(await here.onex(["retry", "good"])).toMatchObject({ code: 1, stderr: expect.stringContaining("FORK_IMPOSSIBLE") as string });
    expect(await here.onex(["fork", "good", "--from", "x"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it has "greet"') as string,
    });
  });

  test("is listed and shown", async () => {
    const here = project({ "hello.mjs": hello });
    await here.onex(["run", "hello.mjs#hello", "--run-id", "good"]);
    await here.onex(["run", "hello.mjs#hello", "--run-id", "bad", "--input", '{"name": "nobody"}']);
    const rows = JSON.parse((await here.onex(["ls", "--json"])).stdout) as { runId: string; status: string }[];
    expect(rows.map(({ runId, status }) => [runId, status])).toEqual([
      ["bad", "failed"],
      ["good", "completed"],
    ]);
    const table = await here.onex(["ls", "--status", "failed"]);
    expect(table.stdout).toMatch(/^RUN +WORKFLOW +STATUS/);
    expect(table.stdout).toMatch(/bad +hello@1\.0\.0 +failed/);
    expect(table.stdout).not.toContain("good");
    const shown = await here.onex(["show", "bad"]);
    expect(shown.stdout).toContain("NOBODY: there is \\u001b[2Jnobody");
    expect(shown.stdout).toMatch(/greet +effect greet +failed +1/);
    expect(shown.code).toBe(0);
    const facts = (await here.onex(["show", "good", "--facts"])).stdout.trim().split("\n");
    expect(facts[0]).toContain("run.started");
    expect(facts.at(-1)).toContain("run.completed");
    const parsed = (await here.onex(["show", "good", "--facts", "--json"])).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { pos: number; type: string });
    expect(parsed.map(({ pos }) => pos)).toEqual(parsed.map((_, pos) => pos));
    expect(parsed).toHaveLength(facts.length);
  });

  test("that is unknown ends with 1, whatever is asked of it", async () => {
    const here = project({ "hello.mjs": hello });
    await here.onex(["run", "hello.mjs#hello"]);
    for (const args of [
      ["show", "r-9"],
      ["show", "r-9", "--facts"],
      ["signal", "r-9", "approval"],
      ["cancel", "r-9"],
      ["pause", "r-9"],
      ["fork", "r-9"],
      ["retry", "r-9"],
      ["resume", "r-9"],
    ]) {
      const { code, stdout, stderr } = await here.typed(args);
      expect(stderr).toContain("RUN_UNKNOWN");
      expect(stdout).toBe("");
      expect(code).toBe(1);
    }
  });
});

describe("a store that fails", () => {
  test("is named, with exit code 70", async () => {
    const here = project({ "hello.mjs": hello, "notes.db": "these are no runs\n".repeat(100) });
    for (const args of [["ls"], ["show", "r-1"], ["cancel", "r-1"]]) {
      const { code, stderr } = await here.onex(args);
      expect(stderr).toContain("STORE_MISSING: there is no store at sqlite:onex.db");
      expect(code).toBe(70);
    }
    expect(existsSync(join(here.folder, "onex.db"))).toBe(false);
    for (const args of [["ls"], ["run", "hello.mjs#hello"]]) {
      const { code, stdout, stderr } = await here.onex([...args, "--store", "sqlite:notes.db"]);
      expect(stderr).toContain("STORE_");
      expect(stdout).toBe("");
      expect(code).toBe(70);
    }
    expect(here.read("notes.db")).toContain("these are no runs");
  });
});

describe.skipIf(process.platform === "win32")("a disk that fills up", () => {
  test("stops the command with exit code 70; what was acknowledged is there, and it goes on later", async () => {
    const here = project({
      "many.mjs": `
import { effect, workflow } from "onex";
import { z } from "zod";
const step = effect({ name: "step", input: z.object({ i: z.number() }), readonly: true }, async ({ i }) => i);
export const many = workflow({ name: "many", input: z.object({}) }, function* () {
  for (let i = 0; i < 1000; i++) yield* step({ i });
  return "done";
});`,
    });
    const full = spawn("sh", ["-c", 'ulimit -f 400; exec "$0" "$@"', process.execPath, main, "run", "many.mjs", "--run-id", "r-1"], {
      cwd: here.folder,
    });
    let stderr = "";
    full.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    full.stdout.resume();
    const code = await new Promise((resolve) => full.on("close", resolve));
    expect(stderr).toContain("error STORE_FAILED");
    expect(code).toBe(70);
    expect((await here.onex(["show", "r-1", "--json"])).stdout).toContain('"running"');
    expect(await here.onex(["run", "many.mjs", "--run-id", "r-1"])).toMatchObject({ code: 0, stdout: '"done"\n' });
  });
});

describe("check", () => {
  test("names what is wrong with a module, and ends with 65", async () => {
    const here = project({
      "nodes.ts": `import { effect, workflow } from "onex";
import { z } from "zod";
export const charge = effect(
  { name: "charge", input: z.object({}), retry: { maxAttempts: 3 } }, async () => {});
export const look = effect({ name: "look", input: z.object({}), readonly: true, retry: {} }, async () => {});
`,
      "fine.ts": `import { effect } from "onex";\nimport { z } from "zod";\nexport const look = effect({ name: "look", input: z.object({}), readonly: true }, async () => {});\n`,
      "warned.ts": `import { effect } from "onex";\nimport { z } from "zod";\nexport const send = effect({ name: "send", input: z.object({}) }, async () => {});\n`,
    });
    const { code, stdout } = await here.onex(["check", "nodes.ts"]);
    expect(stdout).toContain("nodes.ts:4:5: error RETRY_NOT_IDEMPOTENT: effect charge");
    expect(stdout).toContain("nodes.ts:4:5: warning UNDO_UNSAID: effect charge");
    expect(stdout).not.toContain("look");
    expect(code).toBe(65);
    expect(await here.onex(["check", "fine.ts"])).toMatchObject({ code: 0, stdout: "" });
    const warned = await here.onex(["check", "warned.ts", "--json"]);
    expect(JSON.parse(warned.stdout)).toMatchObject([{ level: "warning", code: "UNDO_UNSAID", file: "warned.ts", line: 3 }]);
    expect(warned.code).toBe(0);
  });

  test("names what is wrong with a YAML workflow by line and column", async () => {
    const here = project({
      "bad.yaml":
        "onex: v1\nkind: workflow\nname: bad\nversion: 1.0.0\ntimeout: 1h\nsteps:\n  one: { set: 1 }\n  two: { set: 1, sett: 2 }\n",
      "good.yaml": 'onex: v1\nkind: workflow\nname: good\nversion: 1.0.0\ntimeout: 1h\nsteps:\n  one: { set: 1 }\noutput: "${ one }"\n',
    });
    const bad = await here.onex(["check", "bad.yaml"]);
    expect(bad.stdout).toMatch(/^bad\.yaml:8:\d+: error /);
    expect(bad.code).toBe(65);
    expect(await here.onex(["check", "good.yaml"])).toMatchObject({ code: 0, stdout: "" });
    expect(await here.onex(["run", "good.yaml"])).toMatchObject({ code: 0, stdout: "1\n" });
    const run = await here.onex(["run", "bad.yaml"]);
    expect(run.stderr).toContain("CONTRACT_INVALID");
    expect(run.code).toBe(65);
  });
});
