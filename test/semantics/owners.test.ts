/** Who had a run: told by its log, on every store. */
import { mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createOrchestrator, memory, type Store, signal, sleep, sqlite, workflow } from "../../src/index.ts";
import { anything, Ledger, play, quiet } from "./kit.ts";

test("a run that sleeps is put down and woken; one whose process dies with a call under way is taken over", async () => {
  const ledger = new Ledger();
  ledger.manners.a = ["deaf", "ok"];
  const { t, view } = await play(function* () {
    yield* sleep("1h");
    return yield* ledger.look("a");
  });
  await t.advance("1h");
  const before = await view();
  expect(before.owners).toMatchObject([
    { epoch: 1, taken: "started" },
    { epoch: 2, taken: "woken" },
  ]);
  expect(before.owners[1]).not.toHaveProperty("until");
  expect(before.owners[1]?.leaseId).toBe(before.owners[0]?.leaseId);
  await t.crash();
  const { owners, status, epoch, endedAt } = await view();
  expect(status).toBe("completed");
  expect(owners.map(({ taken }) => taken)).toEqual(["started", "woken", "taken over"]);
  expect(owners[2]).toMatchObject({ epoch: epoch, until: endedAt });
  expect(owners[2]?.leaseId).not.toBe(owners[1]?.leaseId);
  expect(owners[1]?.until).toBe(owners[1]?.at);
});

const word = signal({ name: "word", payload: anything });
const flow = workflow({ name: "flow", input: anything }, function* () {
  return yield* word.wait();
});

test.each(["memory", "sqlite"] as const)("%s: the process is named", async (kind) => {
  const folder = mkdtempSync(join(tmpdir(), "onex-owners-"));
  const store: Store = kind === "memory" ? memory() : sqlite(join(folder, "test.db"));
  const orchestrator = createOrchestrator({ store, nodes: [flow], log: quiet });
  try {
    const run = await orchestrator.start(flow, null, { runId: "a" });
    await run.signal("word", 1);
    await run.result();
    const { owners } = await run.status();
    expect(owners[0]).toMatchObject({ epoch: 1, taken: "started", by: { host: hostname(), pid: process.pid } });
    expect(owners.at(-1)?.until).toBe((await run.status()).endedAt);
  } finally {
    await orchestrator.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
