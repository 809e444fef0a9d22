/** An owner that drives one run over a stream of many items; each item is consumed by a compute and counted by a reducer. */
import { compute, createOrchestrator, each, reducer, sqlite, stream, workflow } from "../../../dist/index.js";
import { any, given, ledger, log, say } from "./kit.mjs";

const { file, effects, items, leash } = given;
const write = ledger(effects);

const rows = stream({ name: "rows", input: any, item: any }, async function* (count, { taken }) {
  write({ opened: taken });
  for (let n = taken; n < count; n++) {
    // However late the test is with its kill, work is left over.
    if (n >= leash) await new Promise(() => {});
    if (n % 100 === 0) say({ at: n });
    yield { n };
  }
});
const double = compute({ name: "double", input: any }, (/** @type {number} */ n) => 2 * n);
const count = reducer({ name: "count", event: any, initial: { seen: 0, sum: 0 } }, (state, n) => ({
  seen: state.seen + 1,
  sum: state.sum + n,
}));
const ingest = workflow({ name: "ingest", input: any }, function* (size) {
  const doubled = yield* each(
    rows(size),
    function* ({ n }) {
      yield* count(n);
      return yield* double(n);
    },
    { concurrency: 4 },
  );
  return { taken: doubled.length, inOrder: doubled.every((twice, n) => twice === 2 * n) };
});

const orchestrator = createOrchestrator({ store: sqlite(file), nodes: [ingest, count], log });
orchestrator.stopped.catch(() => process.exit(70));
const run = await orchestrator.start(ingest, items, { runId: "ingest" });
say({ result: await run.result(), counted: await orchestrator.read(count) });
await orchestrator.close();
