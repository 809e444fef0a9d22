/** Effects that differ in what may be done with a call that a crash left unanswered. With `hangs` every call stays unanswered. */
import { createOrchestrator, effect, sqlite, workflow } from "../../../dist/index.js";
import { any, given, ledger, log, say } from "./kit.mjs";

const { file, effects, hangs, dies, resumes } = given;
const write = ledger(effects);
let inFlight = 0;

/** @param {string} how @param {{ attempt: number, idempotencyKey: string }} context */
async function called(how, { attempt, idempotencyKey }) {
  write({ how, attempt, key: idempotencyKey });
  if (dies) process.kill(process.pid, "SIGKILL");
  if (!hangs) return how;
  say({ inFlight: ++inFlight });
  return new Promise(() => {});
}
const takeBack = effect({ name: "take-back", input: any, idempotent: true, irreversible: "takes back" }, async ({ of, output }) => {
  write({ how: "undo", of, output });
});
const undo = ({ output, idempotencyKey }) => takeBack({ of: idempotencyKey, output: output ?? "unknown" });
const calls = {
  sure: effect({ name: "sure", input: any, idempotent: true, undo }, called),
  looks: effect({ name: "looks", input: any, readonly: true }, called),
  once: effect({ name: "once", input: any, undo }, called),
  fails: effect({ name: "fails", input: any, inDoubt: "fail", idempotent: true, undo }, called),
};
const one = workflow({ name: "one", input: any }, function* (how) {
  return yield* calls[how.split("-")[0]](how);
});

const orchestrator = createOrchestrator({ store: sqlite(file), nodes: [one], log });
const hows = given.runs;
const runs = await Promise.all(hows.map((how) => orchestrator.start(one, how, { runId: how })));
if (!hangs) {
  await orchestrator.idle();
  for (const run of runs) {
    const { status, paused, error } = await run.status();
    say({ run: run.runId, status, paused: paused && { code: paused.code, step: paused.step }, error: error?.code });
  }
  for (const [runId, how] of resumes ?? []) await orchestrator.run(runId).resume(how);
  await orchestrator.idle();
  for (const run of runs) {
    const { status, output, error } = await run.status();
    say({ last: run.runId, status, output, error: error?.code });
  }
  await orchestrator.close();
}
