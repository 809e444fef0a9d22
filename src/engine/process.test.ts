import { expect, test } from "vitest";
import type { ProcessInput } from "./api.ts";
import { asked } from "./process.ts";

const refused = (code: string, message: RegExp) => expect.objectContaining({ code, message: expect.stringMatching(message) });

test("what is asked of a process becomes what is asked of a start", () => {
  expect(asked({ workflowType: "w" }, 0)).toEqual({
    type: "w",
    version: undefined,
    context: null,
    stepNames: [],
    deadline: undefined,
    options: {},
  });
  const full: ProcessInput = {
    workflowType: "w",
    workflowVersion: "1.2",
    workflowContext: { x: 1 },
    idempotencyKey: "k",
    correlationId: "c",
    priority: 3,
    stepInputs: { a: { b: 1 } },
    deadline: new Date(5),
  };
  expect(asked(full, 4)).toEqual({
    type: "w",
    version: "1.2",
    context: { x: 1 },
    stepNames: ["a"],
    deadline: 5,
    options: { runId: "k", correlationId: "c", priority: 3, stepInputs: { a: { b: 1 } } },
  });
});

test("D35: null is as if it were left out", () => {
  const nulls = { workflowVersion: null, workflowContext: null, stepInputs: null, correlationId: null, idempotencyKey: null };
  expect(asked({ workflowType: "w", ...nulls, priority: null, deadline: null }, 0)).toEqual(asked({ workflowType: "w" }, 0));
});

test("a deadline that has passed, or is no time, is refused", () => {
  for (const deadline of [4, new Date(3)])
    expect(() => asked({ workflowType: "w", deadline }, 4)).toThrow(refused("DEADLINE_PASSED", /has passed/));
  for (const deadline of [new Date("soon"), Number.NEGATIVE_INFINITY, "5s" as never])
    expect(() => asked({ workflowType: "w", deadline }, 4)).toThrow(refused("OPTION_INVALID", /give a Date, or ms since 1970/));
});

test("what is no argument of process is refused by name", () => {
  const bad = (input: unknown, message: RegExp) =>
    expect(() => asked(input as ProcessInput, 0)).toThrow(refused("OPTION_INVALID", message));
  for (const input of [null, "w", []]) bad(input, /an object with `workflowType`/);
  bad({}, /workflowType is undefined/);
  bad({ workflow_type: "w" }, /no field "workflow_type"; it takes workflowType, .*\. Did you mean "workflowType"\?/);
  bad({ workflowType: "w", correlationId: 7 }, /correlationId is 7: give text/);
  bad({ workflowType: "w", idempotencyKey: {} }, /idempotencyKey/);
});
