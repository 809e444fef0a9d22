/**
 * What the checker says of calls in code is what a run does: a body of a workflow is read as text and played. Where it says
 * that an operation is never performed, the run ends with that; where it says nothing, it does not.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { checkCalls } from "../../src/cli/check/calls.ts";
import type { AnyNode, Workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { quiet } from "../semantics/kit.ts";

const folder = mkdtempSync(join(tmpdir(), "onex-calls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const onex = pathToFileURL(join(import.meta.dirname, "../../src/index.ts")).href;
const head = `import { all, attempt, each, effect, race, signal, sleep, workflow } from "onex";
const anything = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };
export const act = effect({ name: "act", input: anything, readonly: true }, async (id) => id);
function* helper(id) { return yield* act(id); }
const made = () => act("made");
`;

/** Bodies, and whether all of what they make is performed. */
const bodies: readonly (readonly [fine: boolean, body: string])[] = [
  [true, `yield* act("a");`],
  [false, `act("a");`],
  [false, `if (input.yes) act("a"); yield* act("b");`],
  [true, `if (input.yes) yield* act("a");`],
  [false, `const a = act("a"); yield* act("b"); return 1;`],
  [true, `const a = act("a"); yield* act("b"); return yield* a;`],
  [true, `const all2 = [act("a"), act("b")]; return yield* all(all2);`],
  [true, `return yield* all([act("a"), act("b")]);`],
  [true, `return yield* all({ a: act("a"), b: helper("b") });`],
  [false, `all([act("a")]); yield* act("b");`],
  [true, `return yield* race({ a: act("a"), b: sleep("1s") });`],
  [true, `return (yield* attempt(act("a"))).ok;`],
  [false, `attempt(act("a")); yield* act("b");`],
  [true, `return yield* each([1, 2], (id) => act(id));`],
  [true, `return yield* each([1, 2], function* (id) { return yield* act(id); });`],
  [false, `return yield* each([1, 2], function* (id) { act(id); yield* act("b"); return 1; });`],
  [true, `for (const id of [1, 2]) yield* act(id);`],
  [false, `for (const id of [1, 2]) act(id); yield* act("b");`],
  [true, `return yield* helper("a");`],
  [true, `return yield* made();`],
  [false, `made(); yield* act("b");`],
  [true, `const { length } = yield* all([act("a")]); return length;`],
  [true, `const value = input.yes ? yield* act("a") : yield* act("b"); return value;`],
  [true, `return yield* (input.yes ? act("a") : helper("b"));`],
  [true, `try { yield* act("a"); } finally { yield* act("b"); }`],
  [false, `try { yield* act("a"); } finally { act("b"); }`],
  [true, `const ops = []; for (const id of [1, 2]) ops.push(act(id)); return yield* all(ops);`],
  [true, `const ops = [1, 2].map((id) => act(id)); return yield* all(ops);`],
  [false, `[1, 2].forEach((id) => act(id)); yield* act("b");`],
  [false, `[1, 2].map((id) => act(id)); yield* act("b");`],
  [true, `const later = () => act("a"); return yield* later();`],
  [true, `switch (input.yes) { case true: yield* act("a"); break; default: yield* act("b"); }`],
  [false, `sleep("1s"); yield* act("b");`],
  [false, `void act("a"); yield* act("b");`],
  [false, `yield* act("a"), act("b");`],
  [true, `input.yes && (yield* act("a"));`],
  [false, `input.yes && act("a"); yield* act("b");`],
];

test.each(bodies)("%s: %s", async (fine, body) => {
  const text = `${head}export const flow = workflow({ name: "flow", input: anything }, function* (input) { ${body} });\n`;
  const file = join(folder, `${bodies.findIndex((one) => one[1] === body)}.mjs`);
  writeFileSync(file, text);
  const said = (await checkCalls(file)).map(({ level, code, line, message }) => `${line}: ${level} ${code} ${message}`);

  writeFileSync(file, text.replace('from "onex"', `from ${JSON.stringify(onex)}`));
  const { act, flow } = (await import(file)) as { readonly act: AnyNode; readonly flow: Workflow<unknown, unknown> };
  const t = testOrchestrator({ nodes: [flow, act] as readonly AnyNode[], log: quiet });
  const run = await t.start(flow as never, { yes: true } as never, { runId: "run" });
  await t.advance("1m");
  const { status, error } = await run.status();
  expect(`${status} ${error?.code}`, body).toBe(fine ? "completed undefined" : "failed OPERATION_NOT_PERFORMED");
  // It need not find all, and what it finds is so.
  if (fine) expect(said).toEqual([]);
  else expect(said.join("\n"), "what it says").toContain("OPERATION_NOT_PERFORMED");
});
