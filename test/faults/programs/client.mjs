/** A process that does one thing to a store and leaves: starts, signals or cancels a run, and waits for it when asked to. */
import { createOrchestrator, effect, signal, sqlite, workflow } from "../../../dist/index.js";
import { crashing } from "./crashing.mjs";
import { any, codeOf, given, ledger, log, say } from "./kit.mjs";

const { file, effects, runId = "r", holds = true, does = [], n, when } = given;
const write = ledger(effects);

const note = effect(
  { name: "note", input: any, idempotent: true, irreversible: "a line in a log" },
  async (input, { runId, idempotencyKey }) => {
    write({ run: runId, key: idempotencyKey, input });
    return { noted: input.text };
  },
);
const word = signal({ name: "word", payload: any });
const waits = workflow({ name: "waits", input: any }, function* ({ text }) {
  const { noted } = yield* note({ text });
  const said = yield* word.wait();
  const after = yield* note({ text: `${said}!` });
  return [noted, after.noted];
});

const other = workflow({ name: "other", input: any }, function* () {});

const { store } = crashing(sqlite(file), { n, when });
const orchestrator = createOrchestrator({ store, nodes: [holds ? waits : other], log });
say({ role: orchestrator.role });
const run = orchestrator.run(runId, waits);
for (const one of does) {
  if (one === "start") await orchestrator.start(waits, { text: "hello" }, { runId });
  else if (one === "signal") say({ signalled: await codeOf(run.signal(word, "hello", { messageId: "m" })) });
  else if (one === "cancel") say({ cancelled: await codeOf(run.cancel("enough")) });
  else if (one === "result")
    say({ result: await run.result().catch((/** @type {{ code: string }} */ error) => error.code), role: orchestrator.role });
  else if (one === "idle") await orchestrator.idle();
  else if (one === "stay") await orchestrator.stopped;
  if (one !== "stay") say({ did: one });
}
await orchestrator.close();
