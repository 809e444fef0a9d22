import { expect, test } from "vitest";
import { z } from "zod";
import { compute } from "./compute.ts";
import { recordedOutput } from "./contract.ts";
import { reducer } from "./reducer.ts";
import { service } from "./service.ts";
import { signal } from "./signal.ts";

const shout = compute(
  { name: "shout", input: z.string(), output: z.object({ text: z.string().transform((text) => text.length) }) },
  (text) => ({ text }),
);

test("facts keep what was returned, callers get what the schema makes of it", () => {
  const recorded = recordedOutput(shout.contract, { text: "four", extra: undefined });
  expect(recorded).toEqual({ text: "four" });
  expect(shout.contract.decode(recorded)).toEqual({ text: 4 });
});
test("what does not fit is named with its node", () => {
  expect(() => recordedOutput(shout.contract, { text: 4 })).toThrow(
    expect.objectContaining({ code: "OUTPUT_INVALID", message: expect.stringContaining("compute shout: output: text:") }),
  );
  expect(() => shout.contract.decodeInput(4)).toThrow(expect.objectContaining({ code: "INPUT_INVALID" }));
  expect(() => recordedOutput(shout.contract, { text: new Date() })).toThrow(expect.objectContaining({ code: "OUTPUT_NOT_JSON" }));
});
test("the version is 1.0.0 when nothing is said", () => {
  expect(shout.contract).toMatchObject({ kind: "compute", name: "shout", version: "1.0.0" });
});
test("a reducer's initial state is JSON, its key is its own when there is none", () => {
  expect(() => reducer({ name: "bad", event: z.any(), initial: { at: new Date() } as never }, (state) => state)).toThrow(
    expect.objectContaining({ code: "OUTPUT_NOT_JSON" }),
  );
  const sum = reducer({ name: "sum", event: z.number(), initial: 0 }, (total, n) => total + n);
  expect((sum.contract as unknown as { keyOf(event: number): string }).keyOf(1)).toBe("");
});
test("a service is filled by a value or by what makes one", () => {
  const slot = service<{ n: number }>("slot");
  expect(slot.from({ n: 1 }).make()).toEqual({ n: 1 });
  expect(slot.from(() => ({ n: 2 })).make()).toEqual({ n: 2 });
});
test("a signal and a service need a name, a signal a schema", () => {
  expect(() => signal("go" as never)).toThrow(expect.objectContaining({ code: "NODE_INVALID" }));
  expect(() => signal({ name: "", payload: z.any() })).toThrow(/give it a name/);
  expect(() => signal({ name: "go", payload: undefined as never })).toThrow(/`payload` is missing/);
  expect(() => service(undefined as never)).toThrow(/service undefined: give it a name/);
});
