import { expect, test } from "vitest";
import { type Closing, type Owed, Scope } from "./scope.ts";

const callee = { kind: "effect", name: "x", version: "1.0.0", decode: (x: unknown) => x, decodeInput: (x: unknown) => x } as const;
const owed = (step: string, order: number, more: { known?: boolean; keep?: boolean } = {}): Owed => ({
  step,
  order,
  callee,
  input: null,
  output: more.known === false ? undefined : null,
  keep: more.keep ?? false,
  undo: undefined,
});
/** What is undone now, and what goes to the scope around. */
function closed(how: Closing) {
  const outer = new Scope(undefined);
  const scope = new Scope(outer);
  scope.owed.push(
    owed("done", 1),
    owed("unknown", 2, { known: false }),
    owed("kept", 3, { keep: true }),
    owed("kept unknown", 4, { known: false, keep: true }),
  );
  return { now: scope.close(how).map(({ step }) => step), around: outer.owed.map(({ step }) => step), left: scope.owed };
}

test("a failure owes everything, newest first", () => {
  expect(closed("failure")).toEqual({ now: ["kept unknown", "kept", "unknown", "done"], around: [], left: [] });
});
test("a success owes what is unknown and not kept, and hands on the rest", () => {
  expect(closed("success")).toEqual({ now: ["unknown"], around: ["done", "kept", "kept unknown"], left: [] });
});
test("a loser owes all but what is kept", () => {
  expect(closed("loser")).toEqual({ now: ["unknown", "done"], around: ["kept", "kept unknown"], left: [] });
});
test("what was taken is owed no more", () => {
  const scope = new Scope(undefined);
  scope.owed.push(owed("a", 1), owed("b", 2));
  expect(scope.takeAll().map(({ step }) => step)).toEqual(["b", "a"]);
  expect(scope.close("failure")).toEqual([]);
});

test("what was disowned is owed by no scope any more", () => {
  const outer = new Scope(undefined);
  const inner = new Scope(outer);
  outer.owed.push(owed("old", 1), owed("new", 5));
  inner.owed.push(owed("shared", 2), owed("own", 6));
  outer.disown(4);
  expect(inner.close("failure").map(({ step }) => step)).toEqual(["own"]);
  expect(outer.takeAll().map(({ step }) => step)).toEqual(["new"]);
});
