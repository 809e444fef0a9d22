import { expect, test } from "vitest";
import { quiet } from "../../../test/semantics/kit.ts";
import { Traces } from "../../../test/traces.ts";
import { sha256 } from "../system.ts";
import { openTelemetry } from "./otel.ts";
import { type Engine, traced } from "./spans.ts";

/** An engine with nothing but a clock. */
function engine() {
  let now = 1_000;
  const made: Engine = {
    world: { clock: { elapsed: () => now }, hash: sha256, log: quiet },
    store: { now: () => now },
    secrets: { of: () => ({ text: (text) => text }) },
    client: { isRemote: () => false },
  };
  const traces = new Traces();
  const otel = openTelemetry(traces.tracer);
  if (!otel) throw new Error("there is no tracer");
  const pass = (ms: number): void => {
    now += ms;
  };
  return { traces, tracing: traced(otel, made), pass };
}
const run = (id: string) => ({ id, epoch: 1, replay: { started: undefined } });
const dispatched = { type: "action.dispatched", step: "s", attempt: 1, node: "n", input: null, notAfter: 0, at: 1_000 } as const;
const callee = { kind: "effect", name: "n" } as const;

test("of the runs that were put down with a step open, the thousand latest are kept", () => {
  const { traces, tracing, pass } = engine();
  for (let i = 0; i < 1_002; i++) {
    tracing.accepted(run(`r${i}`), [dispatched]);
    tracing.left(`r${i}`);
    pass(1);
    // It was taken up again and put down once more, so it is not the oldest.
    if (i === 500) {
      tracing.accepted(run("r0"), []);
      tracing.left("r0");
    }
  }
  expect(traces.seen.map(({ attributes }) => attributes.run_id)).toEqual(["r1", "r2"]);
  // As long as it was driven here.
  expect(traces.seen[0]).toMatchObject({ attributes: { unfinished: true }, startMs: 1_000, endMs: 1_001 });
  tracing.close();
  expect(traces.seen).toHaveLength(1_002);
});

test("an attempt is as long as its call, also when its turn comes later", () => {
  const { traces, tracing, pass } = engine();
  tracing.accepted(run("r"), [dispatched]);
  const span = tracing.attempt(run("r"), { step: "s", attempt: 1, delivery: 1, callee });
  pass(2.5);
  span?.over();
  pass(4);
  tracing.accepted(run("r"), [{ type: "action.completed", step: "s", attempt: 1, output: null, at: 1_006 }]);
  expect(traces.one("onex.attempt n")).toMatchObject({ startMs: 1_000, endMs: 1_002.5 });
  expect(traces.one("onex.step n")).toMatchObject({ startMs: 1_000, endMs: 1_006 });
});

test("a delivery that takes the place of another one ends it without an answer", () => {
  const { traces, tracing } = engine();
  for (const delivery of [1, 2]) tracing.attempt(run("r"), { step: "s", attempt: 1, delivery, callee });
  expect(traces.one("onex.attempt n").attributes).toMatchObject({ delivery: 1, unanswered: true });
});
