/** What a run would take as its next fact. */
import { expect, test } from "vitest";
import { digest } from "./digest.ts";
import type { Fact, FactBody } from "./fact.ts";
import { fits } from "./fits.ts";
import { type Callee, Op } from "./operation.ts";
import { Replay } from "./replay.ts";
import { all, now, sleep } from "./verbs.ts";

const node = (kind: Callee["kind"], name: string): Callee => ({
  kind,
  name,
  version: "1.0.0",
  decode: (output) => output,
  decodeInput: (input) => input,
});
const call = (kind: Callee["kind"]) => new Op({ kind: "call", callee: node(kind, kind), input: { a: 1 }, options: {} });
const started: FactBody = { type: "run.started", workflow: "w", version: "1.0.0", input: 1, correlationId: "c", seed: 1, priority: 100 };

function asked(fact: FactBody, ...before: FactBody[]): boolean {
  const replay = new Replay(
    {
      onFailure: "compensate",
      *begin() {
        const read = new Op({ kind: "read", callee: node("reducer", "sum"), key: "k", step: undefined });
        yield all([call("effect"), call("compute"), call("reducer"), read, now(), sleep("1s"), call("workflow")]) as never;
      },
      finish: () => null,
    },
    { runId: "run", keyOf: (step) => step },
  );
  for (const body of [started, ...before]) replay.apply({ ...body, at: 0 } as Fact);
  return fits(replay, { ...fact, at: 0 } as Fact);
}

const input = { a: 1 };
const other = { a: 2 };
const begun: FactBody = { type: "action.dispatched", step: "0/effect", attempt: 1, node: "effect", input, notAfter: 9 };
const done: FactBody = { type: "action.completed", step: "0/effect", attempt: 1, output: 1 };
const computed: FactBody = { type: "compute.completed", step: "1/compute", node: "compute", digest: digest('{"a":1}'), output: 1 };
const applied: FactBody = { type: "reducer.applied", step: "2/reducer", node: "reducer", key: "", input, state: 1 };
const read: FactBody = { type: "state.read", step: "3/sum.read", node: "sum", key: "k", state: 1 };
const value: FactBody = { type: "value.recorded", step: "4/now", value: 1 };
const set: FactBody = { type: "timer.set", step: "5/sleep", due: 1_000, purpose: "sleep" };
const child: FactBody = { type: "child.started", step: "6/workflow", runId: "any", node: "workflow", input };
const ended: FactBody = { type: "child.ended", step: "6/workflow", runId: "any", status: "completed" };
const failed: FactBody = { type: "step.failed", step: "0/effect", node: "effect", attempts: 0, error: { code: "X", message: "x" } };

test.each<[string, FactBody, FactBody[]]>([
  ["an intent", begun, []],
  ["an answer", done, [begun]],
  ["a refusal before any attempt", failed, []],
  ["a compute", computed, []],
  ["an event", applied, []],
  ["a read", read, []],
  ["a value", value, []],
  ["a timer", set, []],
  ["its end", { type: "timer.fired", step: "5/sleep" }, [set]],
  ["a child, whatever its id", child, []],
  ["its answer", ended, [child]],
])("%s that is wanted fits, and only once", (_, fact, before) => {
  expect(asked(fact, ...before)).toBe(true);
  expect(asked(fact, ...before, fact)).toBe(false);
});

test.each<[string, FactBody]>([
  ["an intent with another input", { ...begun, input: other } as FactBody],
  ["an intent of another attempt", { ...begun, attempt: 2 } as FactBody],
  ["an intent of another node", { ...begun, node: "x" } as FactBody],
  ["an answer to what was not begun", done],
  ["a compute of another input", { ...computed, digest: "x" } as FactBody],
  ["another event", { ...applied, input: other } as FactBody],
  ["another key", { ...read, key: "x" } as FactBody],
  ["a timer of another time", { ...set, due: 2_000 } as FactBody],
  ["a timer that is not set", { type: "timer.fired", step: "5/sleep" }],
  ["a child with another input", { ...child, input: other } as FactBody],
  ["a step that it does not come to", { ...value, step: "now" } as FactBody],
  ["a lease", { type: "lease.acquired", leaseId: "l", epoch: 1 }],
  ["an end", { type: "run.completed", output: null }],
])("%s does not fit", (_, fact) => {
  expect(asked(fact)).toBe(false);
});
