/** An owner that drives one run over a stream that lives in another process; each item is counted by a reducer. */
import { createOrchestrator, each, reducer, sqlite, workflow } from "../../../dist/index.js";
import { any, given, log, say } from "./kit.mjs";
import { rowsOf } from "./remote-nodes.mjs";

const { file, url, items } = given;
const rows = rowsOf(() => {
  throw new Error("it lives elsewhere");
});
const count = reducer({ name: "count", event: any, initial: { seen: 0, sum: 0 } }, (state, n) => ({
  seen: state.seen + 1,
  sum: state.sum + n,
}));
const ingest = workflow({ name: "ingest", input: any }, function* (size) {
  const numbers = yield* each(
    rows(size),
    function* ({ n }) {
      yield* count(n);
      return n;
    },
    { concurrency: 4 },
  );
  return numbers;
});

const orchestrator = createOrchestrator({
  store: sqlite(file),
  nodes: [ingest, count, rows],
  endpoints: { rows: url },
  // A host that was killed is back soon, and is to be found soon.
  circuitBreaker: { openMs: 50 },
  log,
});
orchestrator.stopped.catch(() => process.exit(70));
const run = await orchestrator.start(ingest, items, { runId: "ingest" });
say({ result: await run.result(), counted: await orchestrator.read(count) });
await orchestrator.close();
