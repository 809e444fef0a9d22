/** Closes while three calls are in flight: one answers within the grace, one gives up when it is aborted, one is deaf. */
import { createOrchestrator, effect, sqlite, workflow } from "../../../dist/index.js";
import { any, codeOf, given, ledger, log, say } from "./kit.mjs";

const { file, effects, graceMs } = given;
const write = ledger(effects);
const closes = graceMs !== undefined;
/** @type {(value: string) => void} */
let answer = () => {};
let underWay = 0;
/** @type {() => void} */
let allUnderWay = () => {};
const ready = new Promise((resolve) => {
  allUnderWay = () => resolve(undefined);
});

const work = effect({ name: "work", input: any, idempotent: true, irreversible: "a line in a log" }, (how, { idempotencyKey, signal }) => {
  write({ how, key: idempotencyKey });
  if (!closes || how === "next") return Promise.resolve(how);
  if (++underWay === 3) allUnderWay();
  return new Promise((resolve, reject) => {
    if (how === "prompt") answer = () => resolve(how);
    signal.addEventListener("abort", () => {
      write({ aborted: how });
      if (how === "obedient") reject(new Error("aborted"));
    });
  });
});
const two = workflow({ name: "two", input: any }, function* (how) {
  return [yield* work(how, { step: "first" }), yield* work("next", { step: "second" })];
});

const orchestrator = createOrchestrator({ store: sqlite(file), nodes: [two], log });
const runs = await Promise.all(["prompt", "obedient", "deaf"].map((how) => orchestrator.start(two, how, { runId: how })));
if (closes) {
  const results = runs.map((run) => codeOf(run.result()));
  await ready;
  const closing = orchestrator.close({ graceMs });
  say({ started: await codeOf(orchestrator.start(two, "late")) });
  answer("prompt");
  await closing;
  say({ results: await Promise.all(results), stopped: await codeOf(orchestrator.stopped) });
  process.exit(0); // the deaf one still hangs
}
say({ results: await Promise.all(runs.map((run) => run.result())) });
await orchestrator.close();
