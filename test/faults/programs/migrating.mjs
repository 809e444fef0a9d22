/** An owner of runs that wait; it asks all of them to go on with another definition, as often as it is started. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createOrchestrator, effect, loadWorkflow, sqlite } from "../../../dist/index.js";
import { any, given, ledger, log, pause, say } from "./kit.mjs";

const { folder, runs, ahead, leash } = given;
const write = ledger(join(folder, "effects"));
const act = effect({ name: "act", input: any, idempotent: true, irreversible: "a list" }, async (id, { runId, idempotencyKey: key }) => {
  write({ run: runId, id, key });
  return null;
});

/** @param {string} version @param {string} second */
async function contract(version, second) {
  const file = join(folder, `${version}.yaml`);
  const steps = ["a: { effect: act, with: a }", "w: { wait: go, needs: [a] }", `${second}: { effect: act, with: ${second}, needs: [w] }`];
  steps.push(`v: { wait: go, needs: [${second}] }`, "c: { effect: act, with: c, needs: [v] }");
  const head = `onex: v1\nkind: workflow\nname: flow\nversion: ${version}\ntimeout: 1d\nsignals: { go: {} }\n`;
  writeFileSync(file, `${head}steps:\n${steps.map((line) => `  ${line}\n`).join("")}`);
  return loadWorkflow(file);
}
const old = await contract("1.0.0", "b");
const now = await contract("2.0.0", "renamed");

const orchestrator = createOrchestrator({ store: sqlite(join(folder, "test.db")), nodes: [old, act], log });
orchestrator.stopped.catch(() => process.exit(70));
const ids = Array.from({ length: runs }, (_, i) => `run-${i}`);
/** @param {(view: any) => boolean} holds */
async function all(holds) {
  for (;;) {
    const views = await Promise.all(ids.map((id) => orchestrator.run(id).status()));
    if (views.every(holds)) return views;
    await pause(5);
  }
}
for (const [i, runId] of ids.entries()) {
  const run = await orchestrator.start(/** @type {any} */ (old), {}, { runId });
  // Some have gone too far to be moved.
  if (i < ahead) await run.signal("go", null, { messageId: "first" });
}
await all(({ runId, steps }) => steps.some((/** @type {any} */ one) => one.step === (ids.indexOf(runId) < ahead ? "v" : "w")));
say({ waiting: runs });
for (const [i, id] of ids.entries()) {
  // However late the test is with its kill, runs are left over.
  if (i > leash) await new Promise(() => {});
  await orchestrator.run(id).migrate(/** @type {any} */ (now));
  // A kill meets runs that were moved and others that were not.
  const earlier = ids[i - 4];
  if (earlier !== undefined && i - 4 >= ahead) while ((await orchestrator.run(earlier).status()).version !== "2.0.0") await pause(1);
  say({ asked: i });
}
const views = await all(({ version, notMoved }) => version === "2.0.0" || notMoved !== undefined);
for (const id of ids) for (const messageId of ["first", "second"]) await orchestrator.run(id).signal("go", null, { messageId });
await Promise.all(ids.map((id) => orchestrator.run(id).result()));
say({ ended: views.map(({ runId, version }) => ({ runId, version })) });
await orchestrator.close();
