/** `close()` begins nothing new, waits for calls in flight, and puts all runs down. */
import { expect, test } from "vitest";
import { createOrchestrator, memory, type Store, signal, workflow } from "../../src/index.ts";
import { anything, Gate, Ledger, quiet } from "./kit.ts";

const go = signal({ name: "go", payload: anything });

function make(store: Store = memory()) {
  const ledger = new Ledger();
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* ledger.again("a");
    yield* ledger.again("b");
    return "done";
  });
  const waiting = workflow({ name: "waiting", input: anything }, function* () {
    return yield* go.wait();
  });
  return { ledger, flow, waiting, store, o: createOrchestrator({ store, nodes: [flow, waiting], log: quiet }) };
}

test("the answer of a call in flight is written, and what would follow is left to the next process", async () => {
  const { ledger, flow, store, o } = make();
  const gate = new Gate();
  ledger.manners.a = gate;
  const run = await o.start(flow, null, { runId: "run" });
  const result = run.result().catch((error) => error.code);
  const closing = o.close();
  gate.open();
  await closing;
  expect(await result).toBe("ORCHESTRATOR_CLOSED");
  expect(ledger.lines).toEqual(["a"]);
  await o.stopped;

  const next = make(store);
  expect(await next.o.run("run").result()).toBe("done");
  expect(next.ledger.lines).toEqual(["b"]);
  await next.o.close();
});

test("past its grace a call is aborted and stays in doubt", async () => {
  const { ledger, flow, store, o } = make();
  ledger.manners.a = "deaf";
  await o.start(flow, null, { runId: "run" });
  await o.close({ graceMs: 0 });
  expect(ledger.lines).toEqual(["a"]);

  const next = make(store);
  expect(await next.o.run("run").result()).toBe("done");
  expect(next.ledger.lines).toEqual(["a", "b"]);
  expect(next.ledger.keys[0]?.key).toBe(ledger.keys[0]?.key);
  await next.o.close();
});

test("everything asked of a closed one is ORCHESTRATOR_CLOSED, and closing twice is closing once", async () => {
  const { flow, waiting, o } = make();
  const run = await o.start(waiting, null);
  const result = run.result().catch((error) => error.code);
  const events = (async () => {
    for await (const _fact of run.events());
  })().catch((error) => error.code);
  await Promise.all([o.close(), o.close()]);
  await o.close();
  expect(await result).toBe("ORCHESTRATOR_CLOSED");
  expect(await events).toBe("ORCHESTRATOR_CLOSED");
  for (const ask of [
    () => o.start(flow, null),
    () => o.list(),
    () => o.process({ workflowType: "flow" }),
    () => run.result(),
    () => run.status(),
    () => run.facts(),
    () => run.signal(go, 1),
    () => run.cancel(),
  ])
    await expect(ask()).rejects.toMatchObject({ code: "ORCHESTRATOR_CLOSED" });
});
