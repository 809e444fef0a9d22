/**
 * A client that starts runs, one every `gapMs`, and notes each acknowledgement; those that were noted before are not started
 * again. Then it waits until all have ended, and resumes what was paused.
 */
import { existsSync, readFileSync } from "node:fs";
import { createOrchestrator } from "../../../dist/index.js";
import { given, ledger, log, pause, say } from "../../faults/programs/kit.mjs";
import { openStore, ten } from "./ten.mjs";

const { store, storeOptions, acknowledged, runs, gapMs } = given;
const write = ledger(acknowledged);
const known = new Set(
  (existsSync(acknowledged) ? readFileSync(acknowledged, "utf8").split("\n") : [])
    .filter(Boolean)
    .map((line) => JSON.parse(line).acknowledged),
);
const orchestrator = createOrchestrator({ store: await openStore(store, storeOptions), nodes: [], log });
orchestrator.stopped.catch((error) => {
  say({ stopped: `${error.code}: ${error.message}` });
  process.exit(70);
});
process.once("SIGTERM", () => orchestrator.close().then(() => process.exit(0)));
say({ up: true });

/** Does it until it is done: an unknown answer is asked for again. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function insist(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      say({ refused: error.code ?? String(error) });
      await pause(50);
    }
  }
}

const ids = Array.from({ length: runs }, (_, i) => `run-${i}`);
for (const runId of ids) {
  if (known.has(runId)) continue;
  await insist(() => orchestrator.start(ten, {}, { runId }));
  write({ acknowledged: runId });
  await pause(gapMs);
}
say({ started: runs });

const open = /** @type {const} */ (["pending", "running", "waiting", "paused", "compensating"]);
for (let left = true; left; ) {
  left = false;
  for (const status of open)
    for (const { id } of await insist(() => orchestrator.list({ status, limit: 100 }))) {
      left = true;
      // A call that was in flight at five kills is held for poison until a person says otherwise.
      if (status === "paused") await insist(() => orchestrator.run(id).resume());
    }
  await pause(100);
}
say({ ended: runs });
// It stays: one that ends is started again.
setInterval(() => {}, 60_000);
