// biome-ignore-all lint/correctness/useYield: a workflow may end at once
/** A workflow that changed while its runs were under way is found out, and the run waits for the old code (API rule 18). */
import { expect, test } from "vitest";
import { all, compute, effect, type Run, type Steps, signal, sleep, uuid, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const a = effect({ name: "a", input: anything, idempotent: true }, async (x) => x);
const b = effect({ name: "b", input: anything, idempotent: true }, async (x) => x);
const pure = compute({ name: "pure", input: anything }, (x) => x);
const other = compute({ name: "other", input: anything }, (x) => x);
const go = signal({ name: "go", payload: anything });
const child = workflow({ name: "child", input: anything }, function* (x) {
  return x;
});

/** Runs `old` to its sleep, then lets `changed` take over; `code` may be put back. */
async function changed(old: () => Steps<unknown>, now: () => Steps<unknown>) {
  const code = { body: old };
  const flow = workflow({ name: "flow", input: anything }, () => code.body());
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const run: Run = await t.start(flow, null, { runId: "run" });
  await t.advance("1s");
  code.body = now;
  await t.crash();
  await t.advance("1h");
  return { t, run, back: () => (code.body = old) };
}

test.each<[string, () => Steps<unknown>, () => Steps<unknown>, RegExp]>([
  ["another node", () => steps(a(1)), () => steps(b(1)), /step "a" \(a\).*wants dispatch of step "b"/],
  ["another node under one step name", () => steps(a(1, { step: "s" })), () => steps(b(1, { step: "s" })), /step "s" \(a\).*calls b there/],
  ["another input", () => steps(a(1)), () => steps(a(2)), /calls a there with another input/],
  ["a step that is new", () => steps(a(1)), () => steps(pure(1), a(1)), /step "a" \(a\).*wants compute of step "pure"/],
  ["a step that is gone", () => steps(pure(1), a(1)), () => steps(a(1)), /step "pure" \(pure\)/],
  ["an order that is another", () => steps(a(1), b(1)), () => steps(b(1), a(1)), /step "a" \(a\)/],
  ["another kind", () => steps(pure(1, { step: "s" })), () => steps(a(1, { step: "s" })), /expects an answer of effect a there/],
  ["another compute", () => steps(pure(1, { step: "s" })), () => steps(other(1, { step: "s" })), /computes other there/],
  ["another compute's input", () => steps(pure(1)), () => steps(pure(2)), /with another input/],
  ["a value that is new", () => steps(a(1)), () => steps(uuid(), a(1)), /step "a"/],
  ["a sleep that is longer", () => steps(), () => steps(sleep("1m")), /waits there until/],
  ["a sleep that is gone", () => steps(sleep("1ms")), () => steps(), /timer/],
  ["a signal instead", () => steps(a(1)), () => steps(go.wait()), /step "a"/],
  ["another child", () => steps(child(1)), () => steps(child(2)), /runs the workflow child there with another input/],
])("%s pauses the run with HISTORY_MISMATCH, which names what came and what was expected", async (_what, old, now, message) => {
  const { t, run, back } = await changed(old, now);
  const view = await run.status();
  expect(view).toMatchObject({ status: "paused", paused: { code: "HISTORY_MISMATCH" } });
  expect(view.paused?.message).toMatch(message);

  // Still there after another crash and another hour: it waits for a person.
  await t.crash();
  await t.advance("1h");
  expect((await run.status()).paused?.code).toBe("HISTORY_MISMATCH");

  // Resumed under the changed code it is paused again.
  await run.resume();
  await t.advance("1s");
  expect((await run.status()).paused?.code).toBe("HISTORY_MISMATCH");

  // The old code is back: it goes on where it was.
  back();
  await run.resume();
  await t.advance("2h");
  expect(await run.status()).toMatchObject({ status: "completed", output: "old or new" });
});

function* steps(...work: readonly { [Symbol.iterator](): Iterator<never, unknown, unknown> }[] | readonly unknown[]): Steps<unknown> {
  for (const one of work) yield* one as Steps<unknown>;
  yield* sleep("1h");
  return "old or new";
}

test("a step that is new in one branch does not rename those of another", async () => {
  const { t, run } = await changed(
    function* () {
      return yield* all({ left: steps(a(1)), right: later("left") });
    },
    function* () {
      return yield* all({ left: steps(a(1)), right: later("left", "right") });
    },
  );
  await t.advance("1h");
  expect(await run.status()).toMatchObject({ status: "completed", output: { left: "old or new", right: 2 } });
});
function* later(...names: string[]): Steps<unknown> {
  yield* sleep("2h");
  for (const name of names) yield* a(name);
  return names.length;
}

test("what was not recorded yet may change", async () => {
  const { t, run } = await changed(
    function* () {
      yield* sleep("1h");
      return yield* a("old");
    },
    function* () {
      yield* sleep("1h");
      return yield* b("new");
    },
  );
  await t.advance("1s");
  expect((await run.status()).output).toBe("new");
});
