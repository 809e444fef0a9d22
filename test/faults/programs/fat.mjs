/** Runs that fill a disk: ten steps, each with an output of some kilobytes. */
import { createOrchestrator, effect, sqlite, workflow } from "../../../dist/index.js";
import { any, codeOf, given, ledger, log, say } from "./kit.mjs";

const { file, effects, runs, late } = given;
const write = ledger(effects);

const fat = effect(
  { name: "fat", input: any, idempotent: true, irreversible: "a line in a log" },
  async (input, { runId, idempotencyKey }) => {
    write({ run: runId, key: idempotencyKey, input });
    return { step: input.step, filling: "x".repeat(16_000) };
  },
);
const eats = workflow({ name: "eats", input: any }, function* () {
  let eaten = 0;
  for (let step = 0; step < 10; step++) eaten += (yield* fat({ step }, { step: `s${step}` })).filling.length;
  return eaten;
});

const orchestrator = createOrchestrator({ store: sqlite(file), nodes: [eats], log });
/** @type {Promise<unknown>[]} */
const results = [];
const ids = Array.from({ length: runs }, (_, i) => `run-${i}`);
const starts = ids.map(async (runId) => {
  const run = await orchestrator.start(eats, {}, { runId });
  write({ acknowledged: runId });
  results.push(run.result());
});
say({ starts: await Promise.all(starts.map(codeOf)) });
say({ results: await Promise.all(results.map(codeOf)) });
if (late)
  say({
    late: await codeOf(orchestrator.start(eats, {}, { runId: "late" })),
    signal: await codeOf(orchestrator.run("run-0").signal("any", 1)),
  });
await orchestrator.close();
say({ stopped: await codeOf(orchestrator.stopped) });
