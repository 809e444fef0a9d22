/**
 * An owner that drives many runs of ten effects and a reducer. Each output holds a number that nobody can guess, and is the
 * input of the next step: an input can only be right if it came from the one recorded output.
 */
import { randomInt } from "node:crypto";
import { all, createOrchestrator, effect, reducer, sqlite, workflow } from "../../../dist/index.js";
import { any, given, ledger, log, pause, say } from "./kit.mjs";

const { file, effects, runs, atOnce, leash } = given;
const write = ledger(effects);
let calls = 0;

const work = effect(
  { name: "work", input: any, idempotent: true, irreversible: "a line in a log" },
  async (input, { runId, idempotencyKey, epoch }) => {
    // However late the test is with its kill, work is left over.
    if (++calls > leash) return new Promise(() => {});
    const nonce = randomInt(2 ** 40);
    write({ run: runId, step: input.step, key: idempotencyKey, input, nonce, epoch });
    say({ called: calls });
    await pause(randomInt(2, 7));
    return { nonce };
  },
);
const count = reducer({ name: "count", event: any, initial: 0 }, (/** @type {number} */ n) => n + 1);

const ten = workflow({ name: "ten", input: any }, function* () {
  let last = { nonce: 0 };
  for (let step = 0; step < 4; step++) last = yield* work({ step, after: last.nonce }, { step: `s${step}` });
  const pair = yield* all({
    left: work({ step: 4, after: last.nonce }, { step: "s4" }),
    right: work({ step: 5, after: last.nonce }, { step: "s5" }),
  });
  yield* count({});
  last = { nonce: pair.left.nonce + pair.right.nonce };
  for (let step = 6; step < 10; step++) last = yield* work({ step, after: last.nonce }, { step: `s${step}` });
  return last.nonce;
});

/** @param {string} message @param {{ code?: string }} [fields] */
function warn(message, fields) {
  log.warn(message, fields);
  // A history that does not fit would wait for a person for ever.
  if (fields?.code === "HISTORY_MISMATCH") process.exit(71);
}

const orchestrator = createOrchestrator({ store: sqlite(file), nodes: [ten, count], log: { ...log, warn } });
orchestrator.stopped.catch(() => process.exit(70));
let next = 0;
async function desk() {
  for (let i = next++; i < runs; i = next++) {
    const run = await orchestrator.start(ten, {}, { runId: `run-${i}` });
    write({ acknowledged: run.runId });
    // A step that was in flight at five kills is held for poison until a person says otherwise.
    const view = await run.status();
    if (view.paused) await run.resume();
    await run.result();
  }
}
await Promise.all(Array.from({ length: atOnce }, desk));
say({ counted: await orchestrator.read(count), role: orchestrator.role });
await orchestrator.close();
