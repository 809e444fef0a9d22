/** In the wrong snippets, ▸ stands where a finding is expected, in the order of the codes. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkCalls, checkCallsFrom } from "./calls.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let folder = "";
let serial = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-calls-"));
  mkdirSync(join(folder, "lib"));
  writeFileSync(join(folder, "lib/nodes.ts"), nodes);
  writeFileSync(join(folder, "lib/index.ts"), `export * from "./nodes.ts";\nexport { charge as bill } from "./nodes.ts";\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nodes = `import { effect, compute, reducer, signal, workflow } from "onex";
import { z } from "zod";
export const charge = effect({ name: "charge", input: z.object({}), readonly: true }, async () => ({ receipt: "r" }));
export const price = compute({ name: "price", input: z.object({}) }, () => ({ total: 1 }));
export const stock = reducer({ name: "stock", event: z.object({}), initial: { n: 0 }, key: () => "k" }, (state) => state);
export const approval = signal({ name: "approval", payload: z.object({}) });
export const child = workflow({ name: "child", input: z.object({}) }, function* () { return yield* charge({}); });
export function* helper(n: number) { return yield* charge({ n }); }
export const plain = (n: number) => n + 1;
`;
const head = `import { all, attempt, compensate, compute, each, effect, now, race, random, reducer, restart, sleep, uuid, workflow } from "onex";
import * as onex from "onex";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { approval, bill, charge, child, helper, plain, price, stock } from "./lib/index.ts";
import * as lib from "./lib/nodes.ts";
`;

async function codes(snippet: string): Promise<{ readonly found: string[]; readonly wanted: string[] }> {
  const marked = head + snippet;
  const wanted: string[] = [];
  for (const [i, line] of marked.split("\n").entries()) {
    let skipped = 0;
    for (let at = line.indexOf("▸"); at >= 0; at = line.indexOf("▸", at + 1)) wanted.push(`${i + 1}:${at - skipped++ + 1}`);
  }
  const file = join(folder, `snippet-${++serial}.ts`);
  writeFileSync(file, marked.replaceAll("▸", ""));
  const findings = await checkCalls(file);
  return { found: findings.map(({ line, column, code, level }) => `${line}:${column} ${level} ${code}`), wanted };
}

const flow = (body: string) =>
  `export const w = workflow({ name: "w", input: {} as never }, function* (input: any, { log }) {\n${body}\n});\n`;
const lost = "error OPERATION_NOT_PERFORMED";
const other = "error NONDETERMINISTIC";

const wrong: readonly (readonly [name: string, source: string, ...codes: string[]])[] = [
  ["a bare call of a node", flow("  ▸charge({ amount: 1 });"), lost],
  ["a bare call through a renamed export, and through a namespace", flow("  ▸bill({});\n  ▸lib.charge({});"), lost, lost],
  ["a bare verb", flow('  ▸sleep("1s");\n  ▸onex.now();'), lost, lost],
  ["a bare restart", flow("  if (input.n > 1) ▸restart({ n: 0 });\n  return yield* charge({});"), lost],
  ["a bare all of performed-looking operations", flow("  ▸all([charge({}), price({})]);"), lost],
  ["a bare wait for a signal, and a bare read of a reducer", flow('  ▸approval.wait();\n  ▸stock.read("k");'), lost, lost],
  ["a bare call of a child and of a helper", flow("  ▸child({});\n  ▸helper(1);"), lost, lost],
  ["a node of the module itself", `const own = compute({ name: "own", input: {} as never }, () => 1);\n${flow("  ▸own({});")}`, lost],
  ["a result that is never used", flow("  const receipt: { receipt: string } = ▸charge({});\n  return 1;"), lost],
  ["a result that is taken apart", flow("  const { total } = ▸price({});\n  return total;"), lost],
  ["a result that is read at once", flow("  return ▸price({}).total;"), lost],
  ["a result as a condition", flow("  if (▸price({})) return 1;\n  return ▸random() > 0.5 ? 1 : `${▸uuid()}`;"), lost, lost, lost],
  ["an operation that a workflow returns", flow("  return ▸charge({});"), lost],
  [
    "after a condition",
    flow("  input.ok && ▸charge({});\n  input.ok ? ▸charge({}) : ▸price({});\n  void ▸charge({});"),
    lost,
    lost,
    lost,
    lost,
  ],
  ["in a branch", flow("  yield* all([function* () { ▸charge({}); }]);"), lost],
  ["in a callback", flow("  for (const item of input) { [1].map(() => { ▸charge(item); return 1; }); }\n  yield* charge({});"), lost],
  [
    "forEach",
    flow("  ▸input.items.forEach((item: any) => charge(item));\n  ▸input.items.forEach(function* () { yield* charge({}); });"),
    lost,
    lost,
  ],
  [
    "map, and then nothing",
    flow("  ▸input.items.map(function* () { yield* charge({}); });\n  const done = ▸input.items.map((i: any) => charge(i));"),
    lost,
    lost,
  ],
  ["map of a node by name", flow("  ▸input.items.map(charge);"), lost],
  ["yield without star", flow("  ▸yield charge({});\n  const x = ▸yield price({});\n  return x;"), lost, lost],
  ["yield without star in a helper", "function* pay() {\n  yield* charge({});\n  ▸yield charge({});\n}\n", lost],
  [
    "await of an operation",
    `export const e = effect({ name: "e", input: {} as never, readonly: true }, async () => ▸await charge({}));\n`,
    "error OPERATION_AWAITED",
  ],
  ["the clock", flow("  const at = ▸Date.now();\n  return ▸new Date().toISOString() + at + ▸performance.now();"), other, other, other],
  [
    "randomness",
    flow("  return ▸Math.random() + ▸crypto.randomUUID() + ▸randomUUID() + ▸globalThis.crypto.randomUUID();"),
    other,
    other,
    other,
    other,
  ],
  [
    "timers, network and files",
    flow('  ▸setTimeout(() => {}, 1);\n  ▸fetch("x");\n  ▸fs.readFileSync("x");\n  yield* charge({});'),
    other,
    other,
    other,
  ],
  ["promises", flow("  ▸Promise.all([]);\n  yield* charge({});"), other],
  ["the environment", flow("  return ▸process.env.HOME;"), "warning NONDETERMINISTIC"],
  [
    "in a compute and a reducer",
    `export const c = compute({ name: "c", input: {} as never }, () => ▸Date.now());\nexport const r = reducer({ name: "r", event: {} as never, initial: 0, key: () => "" }, (s) => s + ▸Math.random());\n`,
    other,
    other,
  ],
  [
    "in a function that a compute calls",
    `const stamp = () => ▸new Date().toISOString();\nfunction made() { return stamp(); }\nexport const c = compute({ name: "c", input: {} as never }, made);\n`,
    other,
  ],
  [
    "in a generator that is named",
    `function* run() {\n  return ▸Date.now();\n}\nexport const w = workflow({ name: "w", input: {} as never }, run);\n`,
    other,
  ],
  ["a loop that stands still", flow("  ▸while (true) { input.n++; }"), "warning LOOP_ENDLESS"],
  ["loops whose history grows", flow("  ▸for (;;) { yield* charge({}); for (const x of input) break; }"), "warning HISTORY_TOO_LONG"],
];

const right: readonly (readonly [name: string, source: string])[] = [
  ["performed calls", flow("  const a = yield* charge({});\n  const { total } = yield* price({});\n  return { a, total };")],
  [
    "operations handed on",
    flow(
      '  yield* all([charge({}), price({})]);\n  yield* race({ a: approval.wait(), b: sleep("1s") });\n  yield* attempt(charge({}));\n  yield* compensate(charge({}));',
    ),
  ],
  [
    "lists handed on",
    flow(
      "  yield* all(input.items.map((i: any) => charge(i)));\n  const more = input.items.map(function* () { yield* charge({}); });\n  yield* all(more);\n  yield* each(input.items, charge);",
    ),
  ],
  ["an operation kept for later", flow("  const later = charge({});\n  yield* price({});\n  return yield* later;")],
  ["an operation captured by a branch", flow("  const later = charge({});\n  yield* all({ a: function* () { return yield* later; } });")],
  ["a helper", flow("  const x = yield* helper(plain(1));\n  plain(2);\n  return x;")],
  [
    "a helper that answers with an operation",
    `function choose(n: number) { return n > 1 ? charge({}) : price({}); }\nfunction* pick() { return charge({}); }\n${flow("  yield* choose(1);\n  return yield* (yield* pick());")}`,
  ],
  [
    "names that are shadowed",
    `${flow("  const charge = (x: any) => x;\n  charge({});\n  const { sleep } = input;\n  sleep(1);\n  const Date = { now: () => 1 };\n  return Date.now();")}`,
  ],
  ["a parameter of the name of a node", flow("  input.forEach((charge: any) => { charge(1); });\n  yield* price({});")],
  [
    "a node that may be another one",
    `let which = charge;\nexport const set = (n: any) => { which = n; };\n${flow("  which({});\n  yield* charge({});")}`,
  ],
  ["a generator of data", "export function* rows() {\n  yield 1;\n  yield* rows();\n}\n"],
  [
    "the clock in an effect, and outside",
    `const started = Date.now();\nexport const e = effect({ name: "e", input: {} as never, readonly: true }, async () => ({ at: Date.now(), id: randomUUID(), env: process.env.X, all: await Promise.all([fetch("x")]), started }));\n`,
  ],
  [
    "dates with arguments",
    flow("  const at = yield* now();\n  return new Date(at).toISOString() + Date.UTC(2020) + Date.parse(input.at);"),
  ],
  ["other members of a name", flow('  input.process.env.x = 1;\n  input.fetch("x");\n  return input.Math.random();')],
  [
    "a loop that ends",
    flow(
      "  while (true) { const x = yield* charge({}); if (x) break; }\n  for (;;) { if (input) return yield* restart({}); yield* price({}); }",
    ),
  ],
  ["a loop with a label", flow("  outer: while (true) { for (;;) { yield* charge({}); break outer; } }")],
  ["a loop of a plain function", flow("  return yield* all(input.items.map((i: any) => { while (true) { if (i) return charge(i); } }));")],
  [
    "operations as arguments of what is not known",
    flow("  input.run(charge({}));\n  const list = [charge({})];\n  return yield* all(list);"),
  ],
  ["a conditional operation", flow("  yield* (input.ok ? charge({}) : price({}));\n  return yield* (input.op ?? charge({}));")],
  ["an undo, and a node defined in place", flow("  yield* attempt(function* () { yield* charge({}); });\n  log.info(`x ${input.n}`);")],
];

describe("wrong", () => {
  test.each(wrong)("%s", async (_, source, ...expected) => {
    const { found, wanted } = await codes(source);
    expect(found).toEqual(wanted.map((place, i) => `${place} ${expected[i]}`));
    expect(wanted).toHaveLength(expected.length);
  });
});

describe("right", () => {
  test.each(right)("%s", async (_, source) => {
    expect((await codes(source)).found).toEqual([]);
  });
});

test("a message says what to write", async () => {
  const file = join(folder, "message.ts");
  writeFileSync(file, head + flow("  charge({\n    amount: 1 });\n  input.items.map((i: any) => charge(i));"));
  expect((await checkCalls(file)).map(({ message }) => message)).toEqual([
    "`charge({ amount: 1 })` is made and never performed: write `yield* charge({ amount: 1 })`",
    "`input.items.map((i: any) => charge(i))` makes operations that are never performed: write `yield* all(input.items.map((i: any) => charge(i)))`",
  ]);
});

test("a file that does not parse is left to the loader; JavaScript is read too", async () => {
  writeFileSync(join(folder, "broken.ts"), "const = 1");
  expect(await checkCalls(join(folder, "broken.ts"))).toEqual([]);
  const file = join(folder, "plain.js");
  const line = 'export default workflow({ name: "w" }, function* () { sleep("1s"); });';
  writeFileSync(file, `import { sleep, workflow } from "onex";\n${line}\n`);
  expect((await checkCalls(file)).map(({ line, column }) => [line, column])).toEqual([[2, line.indexOf("sleep") + 1]]);
});

test("from an entry, everything that it imports is looked at, each under its own name", async () => {
  const entry = join(folder, "entry.ts");
  mkdirSync(join(folder, "flows"));
  writeFileSync(entry, 'export * from "./flows/pay.ts";\nexport { charge } from "./lib/nodes.ts";\n');
  writeFileSync(
    join(folder, "flows/pay.ts"),
    `import { charge } from "../lib/nodes.ts";\nimport { workflow } from "onex";\n${flow("  charge({});")}`,
  );
  expect(await checkCalls(entry)).toEqual([]);
  expect((await checkCallsFrom(entry)).map(({ file, line, column, code }) => [file, line, column, code])).toEqual([
    [join(folder, "flows/pay.ts"), 4, 3, "OPERATION_NOT_PERFORMED"],
  ]);
});

describe("effects that travel with a workflow", () => {
  const said = async (source: string, ...exported: string[]) => {
    const file = join(folder, `travels-${++serial}.ts`);
    writeFileSync(file, `import { each, effect, workflow } from "onex";\n${source}`);
    const findings = await checkCallsFrom(file, new Set(exported));
    return findings.map(({ line, column, level, code }) => `${line}:${column} ${level} ${code}`);
  };
  const timed = (body: string) =>
    `export const w = workflow({ name: "w", input: {} as never, timeout: "1h" }, function* () {\n${body}\n});\n`;
  const act = (words: string) => `const act = effect({ name: "act", input: {} as never, ${words} }, async () => 1);\n`;

  test.each<[why: string, source: string, ...found: string[]]>([
    ["retried", `${act('retry: {}, irreversible: "mail"')}${timed("yield* act({});")}`, "2:28 error RETRY_NOT_IDEMPOTENT"],
    ["sent again", `${act('inDoubt: "retry", irreversible: "mail"')}${timed("yield* act({});")}`, "2:28 error RETRY_NOT_IDEMPOTENT"],
    ["no word of undo", `${act("idempotent: true")}${timed("yield* each([{}], act);")}`, "2:28 warning UNDO_UNSAID"],
    ["too slow", `${act('readonly: true, timeout: "2h"')}${timed("yield* act({});")}`, "4:8 warning TIMEOUT_BEYOND"],
    ["a slow call", `${act("readonly: true")}${timed('yield* act({}, { timeout: "2h" });')}`, "4:8 warning TIMEOUT_BEYOND"],
    [
      "a call again",
      `${act('irreversible: "mail"')}${timed("yield* act({}, { retry: { maxAttempts: 2 } });")}`,
      "4:8 error RETRY_NOT_IDEMPOTENT",
    ],
    ["nothing", `${act('idempotent: true, retry: {}, irreversible: "mail"')}${timed('yield* act({}, { retry: {}, timeout: "1h" });')}`],
    ["not retried", `${act('retry: { maxAttempts: 1 }, irreversible: "mail"')}${timed("yield* act({}, { retry: false });")}`],
    ["what cannot be read", `const words = { retry: {} };\n${act("...words")}${timed("yield* act({});")}`],
    ["what nobody calls", act("retry: {}")],
  ])("%s", async (_, source, ...found) => {
    expect(await said(source)).toEqual(found);
  });

  test("one that is exported is looked at as it is", async () => {
    expect(await said(`export ${act("retry: {}")}${timed("yield* act({});")}`, "act")).toEqual([]);
  });
});

const usage = join(root, "../shared/api/usage.ts");
test.skipIf(!existsSync(usage))(`the usage of the public surface is clean (skipped where ${usage} is absent)`, async () => {
  expect(await checkCalls(usage)).toEqual([]);
});

test("every example and every snippet of the documents is clean", async () => {
  const files: string[] = [];
  for (const name of readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" }))
    if (name.endsWith(".ts")) files.push(join(root, "examples", name));
  for (const name of ["../README.md", ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })].filter((each) =>
    each.endsWith(".md"),
  ))
    for (const [i, [, snippet = ""]] of [...readFileSync(join(root, "docs", name), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].entries()) {
      const file = join(folder, `doc-${name.replaceAll(/[^\w]/g, "-")}-${i}.ts`);
      writeFileSync(file, snippet);
      files.push(file);
    }
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) expect(await checkCalls(file), file).toEqual([]);
});
