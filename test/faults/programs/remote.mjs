/** An owner whose effects and computes live in another process. Each output is the input of the next step. */
import { attempt, createOrchestrator, sleep, sqlite, workflow } from "../../../dist/index.js";
import { any, given, log, say } from "./kit.mjs";
import { half, workOf } from "./remote-nodes.mjs";

const { file, url, runs, atOnce, steps } = given;
const work = workOf(() => {
  throw new Error("it lives elsewhere");
});
const chain = workflow({ name: "chain", input: any }, function* () {
  let after = 0;
  for (let step = 0; step < steps; step++) {
    const { nonce } = yield* work({ step, after }, { step: `s${step}` });
    for (;;) {
      const asked = yield* attempt(half(nonce));
      if (asked.ok) {
        after = asked.value;
        break;
      }
      yield* sleep("20ms");
    }
  }
  return after;
});

const orchestrator = createOrchestrator({
  store: sqlite(file),
  nodes: [chain, work],
  endpoints: { work: url, half: url },
  // A host that was killed is back soon, and is to be found soon.
  circuitBreaker: { openMs: 50 },
  log,
});
orchestrator.stopped.catch(() => process.exit(70));
let next = 0;
async function desk() {
  for (let i = next++; i < runs; i = next++) {
    const run = await orchestrator.start(chain, {}, { runId: `run-${i}` });
    const view = await run.status();
    if (view.paused) await run.resume();
    await run.result();
    say({ ended: i });
  }
}
await Promise.all(Array.from({ length: atOnce }, desk));
say({ redelivered: orchestrator.stats().redelivered });
await orchestrator.close();
