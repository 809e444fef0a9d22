/** An effect whose input holds secrets; its first process is killed in the middle of it. */
import { createOrchestrator, effect, Fatal, sqlite, workflow } from "../../../dist/index.js";
import { any, given, ledger, log, say } from "./kit.mjs";

const { file, effects, hangs, registered, password } = given;
const write = ledger(effects);

const charge = effect(
  { name: "charge", input: any, idempotent: true, irreversible: "a charge" },
  async (input, { idempotencyKey, log }) => {
    log.warn(`charging with ${input.account.password}`, { input });
    write({ input, key: idempotencyKey });
    if (!hangs) return { accessToken: password, free: `see ${registered}` };
    say({ inFlight: true });
    return new Promise(() => {});
  },
);
const refuse = effect({ name: "refuse", input: any, readonly: true }, async () => {
  throw new Fatal("REFUSED", { message: `no: ${registered}`, cause: new Error(registered) });
});
export const paying = workflow({ name: "paying", input: any }, function* (input) {
  const got = yield* charge({ account: { password: input.password }, note: `for ${registered}` });
  try {
    yield* refuse({});
  } catch (error) {
    return { got, error: error.message };
  }
});

const orchestrator = createOrchestrator({ store: sqlite(file), nodes: [paying], log, secrets: { registered } });
const run = await orchestrator.start(paying, { password }, { runId: "one" });
const output = await run.result();
write({ output });
await orchestrator.close();
