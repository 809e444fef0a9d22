/**
 * Three runs. "canonical" has everything that a run can have: compute, retry, race, each, reducer, sleep, signal, a child
 * from YAML, and an attempt that fails after an effect, a reducer and a child of its own, so that all three are taken back.
 * "doomed" fails at its end and takes back what it did. "circling" begins anew twice. Whoever waits is put down at once.
 * Effects answer at once and one after the other: undisturbed, the commits are the same in every process.
 * It plays them in the files that it is given, one after the other: what another process left, and then what it dies in itself.
 */
import {
  all,
  attempt,
  compute,
  createOrchestrator,
  each,
  effect,
  Fatal,
  loadWorkflow,
  race,
  reducer,
  restart,
  signal,
  sleep,
  sqlite,
  workflow,
} from "../../../dist/index.js";
import { crashing } from "./crashing.mjs";
import { any, given, ledger, log, say } from "./kit.mjs";

const { name, plays } = given;
let write = ledger(plays[0].effects);

const unbook = effect(
  { name: "unbook", input: any, idempotent: true, irreversible: "takes back" },
  async ({ of, account, amount }, { idempotencyKey }) => {
    write({ op: "unbook", key: idempotencyKey, of, account, amount });
    return { taken: account };
  },
);
const book = effect(
  {
    name: "book",
    input: any,
    idempotent: true,
    undo: ({ input, idempotencyKey }) => unbook({ of: idempotencyKey, account: input.account, amount: input.amount }),
  },
  async ({ account, amount, failing }, { attempt, idempotencyKey }) => {
    if (attempt <= failing) throw new Error("come back later");
    write({ op: "book", key: idempotencyKey, account, amount });
    return { receipt: `${account}-${amount}` };
  },
);
const stuck = effect(
  {
    name: "stuck",
    input: any,
    idempotent: true,
    undo: ({ idempotencyKey }) => unbook({ of: idempotencyKey, account: "stuck", amount: 0 }),
  },
  (_input, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("given up")));
    }),
);
const decline = effect({ name: "decline", input: any, readonly: true }, async () => {
  throw new Fatal("DECLINED");
});
const price = compute({ name: "price", input: any }, ({ items }) => ({ total: items.length * 10 }));
const stock = reducer(
  { name: "stock", event: any, initial: { onHand: 0 }, key: ({ sku }) => sku, undo: ({ sku, delta }) => ({ sku, delta: -delta }) },
  (state, { delta }) => ({ onHand: state.onHand + delta }),
);
const approval = signal({ name: "approval", payload: any });
const parcel = await loadWorkflow(new URL("./parcel.yaml", import.meta.url).pathname);
const wrapping = workflow({ name: "wrapping", input: any }, function* ({ account }) {
  const { receipt } = yield* book({ account, amount: 5, failing: 0 });
  const { onHand } = yield* stock({ sku: "paper", delta: -1 });
  return { receipt, onHand };
});

const canonical = workflow({ name: "canonical", input: any }, function* ({ items }) {
  const { total } = yield* price({ items });
  const paid = yield* book(
    { account: "bank", amount: total, failing: 1 },
    { step: "pay", retry: { maxAttempts: 3, delay: "1ms", jitter: "none" } },
  );
  const first = yield* race({ quick: book({ account: "quick", amount: 1, failing: 0 }), slow: stuck({}), never: sleep("1h") });
  const lines = yield* each(
    items,
    function* (sku) {
      const { receipt } = yield* book({ account: sku, amount: 2, failing: 0 });
      const { onHand } = yield* stock({ sku, delta: -2 });
      return { receipt, onHand };
    },
    { concurrency: 2, key: (sku) => sku },
  );
  yield* sleep("3ms");
  const approved = yield* approval.wait();
  const sent = yield* all({ parcel: parcel({ account: "post" }), total: price({ items: [] }) });
  const extra = yield* attempt(
    (function* () {
      yield* book({ account: "gift", amount: 3, failing: 0 });
      yield* stock({ sku: "gift", delta: -1 });
      yield* wrapping({ account: "wrap" });
      yield* decline({});
    })(),
  );
  // What the attempt owes may be taken back beside the run, so only a level that it did not touch is sure.
  const left = yield* stock.read("a");
  return { total, paid, first, lines, approved, sent, extra: extra.ok ? "given" : extra.error.code, left };
});

const doomed = workflow({ name: "doomed", input: any }, function* () {
  yield* all([book({ account: "left", amount: 1, failing: 0 }), book({ account: "right", amount: 2, failing: 0 })]);
  yield* stock({ sku: "a", delta: -1 });
  yield* wrapping({ account: "wrap" });
  yield* decline({});
});

const circling = workflow({ name: "circling", input: any }, function* ({ round = 1 }) {
  const { receipt } = yield* book({ account: `round-${round}`, amount: round, failing: 0 });
  if (round < 3) yield* restart({ round: round + 1 });
  return receipt;
});

const workflows = { canonical, doomed, circling };
for (const { file, effects, n, when } of plays) {
  write = ledger(effects);
  const { store, commits } = crashing(sqlite(file), { n, when });
  const orchestrator = createOrchestrator({
    store,
    nodes: [canonical, doomed, circling, parcel, wrapping, book, stock],
    log,
    parkAfterMs: 0,
  });
  const run = await orchestrator.start(workflows[name], { items: ["a", "b", "c"] }, { runId: name });
  // Said again after a crash it counts once; a run that has ended has heard it.
  if (name === "canonical") await run.signal(approval, { by: "dana" }, { messageId: "approval" });
  await run.result().catch(() => {});
  await orchestrator.idle();
  const views = [];
  for (const { id } of await orchestrator.list()) {
    const { runId, status, output, error, notUndone, steps } = await orchestrator.run(id).status();
    views.push({
      run: { runId, status, output, error, notUndone },
      steps: steps.map((step) => ({ step: step.step, node: step.node, status: step.status, output: step.output, error: step.error?.code })),
    });
  }
  const levels = [];
  for (const sku of ["a", "b", "c", "gift", "paper"]) levels.push([sku, await orchestrator.read(stock, sku)]);
  await orchestrator.close();
  say({ views, levels, commits });
}
