/** Services reach effects and nothing else (API rule 9). */
import { expect, test } from "vitest";
import { all, createOrchestrator, effect, memory, service, workflow } from "../../src/index.ts";
import { stub, testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, Ledger, quiet } from "./kit.ts";

interface Bank {
  charge(): Promise<string>;
}
const bank = service<Bank>("bank");
const charge = effect({ name: "charge", input: anything, uses: { bank }, readonly: true }, async (_input, { bank }) => bank.charge());
const flow = workflow({ name: "flow", input: anything }, function* () {
  return yield* charge(1);
});
const real: Bank = { charge: async () => "charged" };

test("is made once, when it is first needed", async () => {
  let made = 0;
  const provided = bank.from(async () => {
    made++;
    return real;
  });
  const t = testOrchestrator({ nodes: [flow, charge], provide: [provided], log: quiet });
  expect(made).toBe(0);
  const runs = await Promise.all([1, 2, 3].map(() => t.start(flow, null)));
  await t.advance("1s");
  for (const run of runs) expect(await run.result()).toBe("charged");
  expect(made).toBe(1);
});

test("one that could not be made fails the attempt and is tried again", async () => {
  let tries = 0;
  const provided = bank.from(() => {
    if (++tries === 1) throw new Error("no connection");
    return real;
  });
  const t = testOrchestrator({ nodes: [flow], provide: [provided], log: quiet });
  const run = await t.start(flow, null);
  await t.advance("1m");
  expect(await run.result()).toBe("charged");
  expect(tries).toBe(2);
});

test("is closed with the orchestrator; one that cannot be closed is named and stops nothing", async () => {
  const closed: string[] = [];
  const warned: unknown[] = [];
  const other = service<object>("other");
  const both = effect({ name: "both", input: anything, uses: { bank, other }, readonly: true }, async () => null);
  const use = workflow({ name: "use", input: anything }, function* () {
    return yield* both(1);
  });
  const orchestrator = createOrchestrator({
    store: memory(),
    nodes: [use],
    provide: [
      bank.from({
        ...real,
        close: () => {
          closed.push("bank");
          throw new Error("stuck");
        },
      } as Bank),
      other.from({ close: () => closed.push("other") }),
    ],
    log: { ...quiet, warn: (_message, fields) => warned.push(fields) },
  });
  await (await orchestrator.start(use, null)).result();
  await orchestrator.close();
  expect(closed.sort()).toEqual(["bank", "other"]);
  expect(warned).toEqual([{ code: "SERVICE_CLOSE_FAILED" }]);
});

test("missing for a node in `nodes` it is named at construction", () => {
  expect(() => createOrchestrator({ store: memory(), nodes: [flow, charge] })).toThrow(
    expect.objectContaining({ code: "SERVICE_MISSING", message: expect.stringContaining('"bank"') }),
  );
});

test("provided twice it is refused", () => {
  expect(() => createOrchestrator({ store: memory(), nodes: [flow], provide: [bank.from(real), bank.from(real)] })).toThrow(
    expect.objectContaining({ code: "SERVICE_DUPLICATE" }),
  );
});

test("missing at dispatch it pauses the run before an intent is written; provided later, the run goes on when it is resumed", async () => {
  const provide: ReturnType<typeof bank.from>[] = [];
  const t = testOrchestrator({ nodes: [flow], provide, log: quiet });
  const run = await t.start(flow, null);
  await t.advance("1h");
  expect(await run.status()).toMatchObject({
    status: "paused",
    paused: { code: "SERVICE_MISSING", step: "charge", message: expect.stringContaining('"bank"') },
  });
  expect((await run.facts()).map(({ type }) => type)).not.toContain("action.dispatched");

  await run.resume();
  await t.advance("1s");
  expect((await run.status()).paused?.code).toBe("SERVICE_MISSING");

  provide.push(bank.from(real));
  await t.crash();
  await t.advance("1s");
  expect((await run.status()).paused?.code).toBe("SERVICE_MISSING");
  await run.resume();
  await t.advance("1s");
  expect(await run.status()).toMatchObject({ status: "completed", output: "charged" });
});

test("a step that waits for its service is given up by a cancel", async () => {
  const ledger = new Ledger();
  const slow = new Gate();
  ledger.manners["undo a"] = slow;
  const acting = workflow({ name: "acting", input: anything }, function* () {
    yield* ledger.act("a");
    yield* charge(1);
  });
  const t = testOrchestrator({ nodes: [acting], log: quiet });
  const run = await t.start(acting, null);
  await t.advance("1s");
  expect((await t.list())[0]?.status).toBe("paused");
  await run.cancel();
  await t.advance("1s");
  expect((await t.list())[0]?.status).toBe("compensating");
  slow.open();
  await t.advance("1s");
  expect((await run.status()).status).toBe("cancelled");
});

test("a paused step is not tried by a takeover that another branch brings about", async () => {
  const slow = effect({ name: "slow", input: anything, idempotent: true }, () => new Promise(() => {}));
  const both = workflow({ name: "both", input: anything }, function* () {
    return yield* all({ charge: charge(1), slow: slow(1) });
  });
  const provide: ReturnType<typeof bank.from>[] = [];
  const t = testOrchestrator({ nodes: [both], provide, log: quiet });
  const run = await t.start(both, null);
  await t.advance("1s");
  provide.push(bank.from(real));
  await t.crash();
  await t.advance("1s");
  expect(await run.status()).toMatchObject({ status: "paused", paused: { code: "SERVICE_MISSING" } });
  expect((await run.facts()).filter((fact) => fact.type === "run.paused")).toHaveLength(1);
});

test("a stub needs no services", async () => {
  const t = testOrchestrator({ nodes: [flow, charge], stubs: [stub(charge, () => "stubbed")], log: quiet });
  const run = await t.start(flow, null);
  await t.advance("1s");
  expect(await run.result()).toBe("stubbed");
});
