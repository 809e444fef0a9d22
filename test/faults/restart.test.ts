/** A run that begins anew under its id: every round is another piece of work, to its effects and to its children. */
import { expect, test } from "vitest";
import { createOrchestrator, effect, memory, restart, type Steps, workflow } from "../../src/index.ts";
import { any } from "./any.ts";

const keys: string[] = [];
const charge = effect({ name: "charge", input: any, idempotent: true, irreversible: "a list" }, async (_round, { idempotencyKey }) => {
  keys.push(idempotencyKey);
});
const month = workflow({ name: "month", input: any }, function* (round) {
  yield* charge(round);
});
const monthly = workflow({ name: "monthly", input: any }, function* (round): Steps<number> {
  yield* charge(round);
  if (round < 3) yield* restart(round + 1);
  return round;
});
const families = workflow({ name: "families", input: any }, function* (round): Steps<number> {
  yield* month(round);
  if (round < 3) yield* restart(round + 1);
  return round;
});

test.each([monthly, families])("has keys of its own in each round ($contract.name)", async (loop) => {
  keys.length = 0;
  const orchestrator = createOrchestrator({ store: memory(), nodes: [loop] });
  try {
    expect(await (await orchestrator.start(loop, 1)).result()).toBe(3);
    expect(new Set(keys).size).toBe(3);
  } finally {
    await orchestrator.close();
  }
});
