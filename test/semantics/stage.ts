/** Runs whose one effect says that it runs, and holds its run until the test lets it go. */
import { z } from "zod";
import type { Engine } from "../../src/engine/engine.ts";
import { type AnyNode, effect, workflow } from "../../src/index.ts";
import { type TestOptions, type TestOrchestrator, testOrchestrator } from "../../src/testing/index.ts";
import { Gate, quiet } from "./kit.ts";

export type Tested = TestOrchestrator<readonly AnyNode[]>;

export function tested(options: Omit<TestOptions<readonly AnyNode[]>, "log">): Tested {
  return testOrchestrator<readonly AnyNode[]>({ log: quiet, ...options });
}

/** What the process that lives holds. */
export function engineOf(t: Tested): Engine {
  return (t as unknown as { readonly engine: Engine }).engine;
}

export function stage() {
  const order: string[] = [];
  const gates = new Map<string, Gate>();
  const gate = (id: string): Gate => {
    const found = gates.get(id) ?? new Gate();
    gates.set(id, found);
    return found;
  };
  const work = effect({ name: "work", input: z.string(), timeout: "7d", idempotent: true, irreversible: "a test" }, async (id) => {
    order.push(id);
    await gate(id).pass();
  });
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    yield* work(id);
    return id;
  });
  return { order, flow, work, open: (id: string) => gate(id).open() };
}
