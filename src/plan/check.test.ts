import { describe, expect, test } from "vitest";
import { z } from "zod";
import { compute } from "../node/compute.ts";
import type { AnyNode } from "../node/contract.ts";
import { effect } from "../node/effect.ts";
import { reducer } from "../node/reducer.ts";
import { Registry } from "../node/registry.ts";
import { checkFlow } from "./check.ts";
import { Findings, describe as line } from "./finding.ts";
import { parseWorkflow, readText } from "./workflow.ts";

const head = "onex: v1\nkind: workflow\nname: t\nversion: 1.0.0\ntimeout: 1d\n";
const input =
  "input: { type: object, required: [cart, status, name, more, note], properties: { cart: { type: array, items: { type: object, required: [sku], properties: { sku: { type: string }, qty: { type: integer } } } }, name: { type: [string, 'null'] }, phone: { type: string }, note: { type: string }, status: { enum: [open, paid] }, more: { type: object, additionalProperties: { type: number } } } }\n";

/** Steps begin in line 8, two columns in. */
function said(steps: string, nodes?: readonly AnyNode[]): string[] {
  const findings = new Findings("f.yaml");
  const read = readText(
    `${head}${input}steps:\n${steps
      .split("\n")
      .map((row) => `  ${row}`)
      .join("\n")}`,
    findings,
    () => undefined,
  );
  if (read && nodes && !findings.failed) {
    findings.all.length = 0;
    checkFlow(read, new Registry(nodes), findings);
  }
  return findings.sorted().map((finding) => line(finding).replace("f.yaml:", ""));
}

describe("types flow from the schema through expressions", () => {
  test.each([
    ['a: { set: "${ input.crat }" }', '8:23 REFERENCE_UNKNOWN `input` has no "crat". Did you mean "cart"?'],
    ['a: { set: "${ input.cart.map(i, i.sk) }" }', '8:37 REFERENCE_UNKNOWN `i` has no "sk". Did you mean "sku"?'],
    [
      'a: { set: "${ input.cart[0].sku + 1 }" }',
      "8:17 TYPE_MISMATCH + does not join a string and a number; write string(…) around the number",
    ],
    ['a: { set: "${ input.cart + 1 }" }', "8:17 TYPE_MISMATCH + does not join a list of maps and a number"],
    ['a: { set: "${ input.cart < 1 }" }', "8:17 TYPE_MISMATCH < does not compare a list of maps and a number"],
    ["a: { set: 1, when: input.cart }", "8:22 TYPE_MISMATCH when must be true or false, and `input.cart` is a list of maps"],
    [
      "a: { set: 1, when: input.status == 'payed' }",
      '8:22 COMPARISON_CONSTANT `input.status` ("open" or "paid") never equals `\'payed\'` ("payed")',
    ],
    ["a: { each: input.note, do: { set: 1 } }", "8:14 TYPE_MISMATCH each goes over a list, and `input.note` is a string"],
    [
      'a: { set: "n ${ input.cart }" }',
      "8:19 TYPE_MISMATCH `input.cart` is a list of maps, which has no place inside text; let the hole be the whole value, or take a part of it",
    ],
    ['a: { set: "${ has(input.phne) }" }', '8:27 REFERENCE_UNKNOWN `input` never has "phne". Did you mean "phone"?'],
    ['a: { set: "${ input.note.x }" }', '8:17 TYPE_MISMATCH `input.note` is a string, and has no "x"'],
    ['a: { set: "${ run.ID }" }', '8:21 REFERENCE_UNKNOWN `run` has no "ID". Did you mean "id"?'],
    [
      'a: { sleep: "${ input.cart }" }',
      "8:19 TYPE_MISMATCH sleep takes a duration, or a moment as ISO text or milliseconds, and `input.cart` is a list of maps",
    ],
    ['a: { set: "${ size(input.name) }" }', "8:22 REFERENCE_MAYBE_NULL `input.name` may be null; guard it with `input.name != null`"],
    [
      'a: { repeat: { set: "${ 1 - last }" }, until: last > 3, max: 3 }',
      "8:31 REFERENCE_MAYBE_NULL `last` may be null; guard it with `last != null`",
    ],
    [
      'a: { repeat: { set: "${ size(input.cart) > 9 ? 1 : last }" }, until: last > 3, max: 3 }',
      "8:72 REFERENCE_MAYBE_NULL `last` may be null; guard it with `last != null`",
    ],
    [
      'a: { compute: x }\nb: { set: "${ size(a.n + 1) }" }',
      "9:22 TYPE_MISMATCH size() takes a string, a list or a map, and `a.n + 1` is a number",
    ],
  ])("%s", (steps, sentence) => {
    expect(said(steps)).toEqual([sentence]);
  });

  test.each([
    'a: { set: "${ input.cart.map(i, has(i.qty) ? i.qty : 1) }" }',
    'a: { set: "${ input.more.anything + 1 }" }',
    'a: { when: input.name != null, set: "${ size(input.name) }" }',
    'a: { set: "${ input.name == null ? 0 : size(input.name) }" }',
    'a: { set: "${ input.name != null && size(input.name) > 3 }" }',
    'a: { set: "${ input.name == null || size(input.name) > 3 }" }',
    'a: { set: "${ !(input.name == null) && size(input.name) > 3 }" }',
    'a: { when: has(input.phone), set: "${ input.phone }" }',
    'a: { set: { n: 1 } }\nb: { set: "${ a.n + 1 }" }',
    'a: { each: input.cart, do: { set: "${ item.sku }" } }\nb: { set: "${ a.map(s, s + string(1)) }" }',
    'a: { compute: x }\nb: { set: "${ a.whatever.it[3].is + 1 }" }',
    "a: { race: { x: { effect: ask }, y: { sleep: 1s } } }\nb: { when: a.winner == 'x', set: \"${ a.value }\" }",
    "a: { sleep: \"${ timestamp(input.note) + duration('1h') }\" }",
  ])("%s is clean", (steps) => {
    expect(said(steps)).toEqual([]);
  });
});

describe("what may be skipped", () => {
  const skipped = 'is null when the step "a" is skipped or has failed; guard it with';
  test.each([
    [
      'a: { when: size(input.cart) > 1, set: {x: 1} }\nb: { set: "${ a.x }" }',
      `9:17 REFERENCE_MAYBE_SKIPPED \`a\` ${skipped} \`a != null\`, or give the step a default`,
    ],
    ['a: { when: size(input.cart) > 1, set: 1 }\nb: { set: "${ a + 1 }" }', `9:17 REFERENCE_MAYBE_SKIPPED \`a\` ${skipped}`],
    [
      "a: { when: size(input.cart) > 1, set: [1] }\nb: { each: a, do: { set: 1 } }",
      '9:14 REFERENCE_MAYBE_SKIPPED `a` is null when the step "a" is skipped or has failed; guard it, as in when: a != null',
    ],
    [
      'a: { when: size(input.cart) > 1, set: 1 }\nb: { set: "n ${ a }" }',
      '9:19 REFERENCE_MAYBE_SKIPPED `a` prints "null" when the step "a" is skipped or has failed',
    ],
    ['a: { effect: x, onError: continue }\nb: { set: "${ a.x }" }', `9:17 REFERENCE_MAYBE_SKIPPED \`a\` ${skipped}`],
    [
      "a: { switch: [{ when: size(input.cart) > 1, set: {x: 1} }] }\nb: { when: a.x == 1, set: 1 }",
      `9:14 REFERENCE_MAYBE_SKIPPED \`a\` ${skipped}`,
    ],
    ['a: { steps: { c: { set: 1 } } }\nb: { set: "${ a.c }" }', '9:17 TYPE_MISMATCH `a` is always null, and has no "c"'],
  ])("%s", (steps, sentence) => {
    expect(said(steps).join("\n")).toContain(sentence);
  });

  test.each([
    ["guarded by when", 'a: { when: size(input.cart) > 1, set: {x: 1} }\nb: { when: a != null, set: "${ a.x }" }'],
    ["guarded inside", 'a: { when: size(input.cart) > 1, set: {x: 1} }\nb: { set: "${ a == null ? 0 : a.x }" }'],
    [
      "under the same condition",
      "a: { when: size(input.cart) > 1, set: {x: 1} }\nb: { when: size(input.cart)>1 && input.status == 'paid', set: \"${ a.x }\" }",
    ],
    [
      "in a block under the same condition",
      'a: { when: size(input.cart) > 1, set: {x: 1} }\nb: { when: size(input.cart) > 1, steps: { c: { set: "${ a.x }" } } }',
    ],
    ["with a default", 'a: { when: size(input.cart) > 1, default: {x: 2}, set: {x: 1} }\nb: { set: "${ a.x }" }'],
    [
      "by the case before",
      'a: { when: size(input.cart) > 1, set: {x: 1} }\nb: { switch: [{ when: a == null, set: 0 }, { set: "${ a.x }" }] }',
    ],
    ["passed on as it is", 'a: { when: size(input.cart) > 1, set: {x: 1} }\nb: { compute: y, with: { a: "${ a }" } }'],
    ["by has", 'a: { when: size(input.cart) > 1, set: {x: 1} }\nb: { when: has(a.x), set: "${ a.x }" }'],
  ])("%s it is clean", (_, steps) => {
    expect(said(steps)).toEqual([]);
  });
});

describe("with the nodes", () => {
  const price = compute(
    {
      name: "price",
      version: "1.4.0",
      input: z.object({ skus: z.array(z.string()), rate: z.number().default(1) }),
      output: z.object({ total: z.number() }),
    },
    () => ({ total: 1 }),
  );
  const charge = effect(
    {
      name: "charge",
      input: z.object({ amount: z.number(), note: z.string().nullable().optional() }),
      output: z.object({ receipt: z.string() }),
      idempotent: true,
      irreversible: "test",
    },
    async () => ({ receipt: "r" }),
  );
  const risky = effect({ name: "risky", input: z.object({}) }, async () => ({}));
  const stock = reducer(
    { name: "stock", event: z.object({ sku: z.string() }), initial: { n: 0 }, state: z.object({ n: z.number() }) },
    (state) => state,
  );
  const nodes = [price, charge, risky, stock];

  test.each([
    ["a: { effect: chrage, with: { amount: 1 } }", '8:16 NODE_UNKNOWN there is no effect "chrage". Did you mean "charge"?'],
    ["a: { effect: zzz, with: { amount: 1 } }", '8:16 NODE_UNKNOWN there is no effect "zzz". There are charge, risky.'],
    ["a: { compute: charge, with: { amount: 1 } }", "8:17 NODE_UNKNOWN charge is an effect, not a compute; write `effect: charge`"],
    [
      "a: { compute: price@2, with: { skus: [] } }",
      "8:17 NODE_UNKNOWN price@2: the newest compute price is 1.4.0; write price@1, or add that version to the nodes",
    ],
    ["a: { read: charge }", "8:14 NODE_UNKNOWN charge is an effect; read takes a reducer"],
    [
      "a: { effect: charge, with: { amout: 1 } }",
      '8:16 INPUT_MISMATCH effect charge takes "amount" (a number), and `with` has none; is "amout" meant to be it?',
    ],
    [
      'a: { effect: charge, with: { amount: "${ input.phone }" } }',
      '8:44 INPUT_MISMATCH effect charge takes a number as "amount", and this is a string',
    ],
    ['a: { effect: charge, with: { amount: "5" } }', '8:40 INPUT_MISMATCH effect charge takes a number as "amount", and this is "5"'],
    [
      'a: { effect: charge, with: "${ input.cart }" }',
      "8:34 INPUT_MISMATCH effect charge takes a map as its input, and this is a list of maps",
    ],
    [
      "a: { effect: charge, with: \"${ {'amount': 'x'} }\" }",
      '8:34 INPUT_MISMATCH effect charge takes a map as its input, and this is a map, whose "amount" is "x" and not a number',
    ],
    [
      'a: { compute: price, with: { skus: "${ input.cart }" } }',
      '8:42 INPUT_MISMATCH compute price takes a list of strings as "skus", and this is a list of maps',
    ],
    [
      'a: { compute: price, with: { skus: [x] } }\nb: { set: "${ a.totl }" }',
      '9:19 REFERENCE_UNKNOWN `a` has no "totl". Did you mean "total"?',
    ],
    ['a: { read: stock }\nb: { set: "${ a.m }" }', '9:19 REFERENCE_UNKNOWN `a` has no "m". It has n.'],
    [
      "a: { effect: charge }",
      "8:16 INPUT_MISSING effect charge takes amount, and the step has no `with`; whoever starts the run must give it as the step's input",
    ],
    [
      "a: { effect: risky, retry: 3 }",
      "8:16 RETRY_NOT_IDEMPOTENT risky is retried and does not say that it is idempotent: it may happen twice; declare `idempotent: true` if it uses its idempotency key, or write `retry: false`",
    ],
    [
      "a: { effect: risky }",
      '8:16 UNDO_UNSAID risky does not say how it is taken back: declare one of undo, irreversible: "why" or readonly: true, or write `undo` on the step',
    ],
    [
      'a: { when: size(input.cart) > 1, set: 1 }\nb: { effect: charge, with: { amount: "${ a }" } }',
      '9:44 REFERENCE_MAYBE_SKIPPED effect charge takes a number as "amount", and this is null when the step "a" is skipped or has failed; give that step a default, or this one a when',
    ],
  ])("%s", (steps, sentence) => {
    expect(said(steps, nodes).join("\n")).toContain(sentence);
  });

  test.each([
    'a: { compute: price, with: { skus: "${ input.cart.map(i, i.sku) }" } }\nb: { effect: charge@1, with: { amount: "${ a.total * 2 }", note: null }, retry: 3 }',
    'a: { when: size(input.cart) > 1, set: x }\nb: { effect: charge, with: { amount: 1, note: "${ a }" } }',
    'a: { effect: risky, undo: { effect: charge, with: { amount: "${ 1 }" } } }',
    "a: { reducer: stock@1.0, with: { sku: x } }",
  ])("%s is clean", (steps) => {
    expect(said(steps, nodes)).toEqual([]);
  });

  test("bind refuses with every complaint at once, and keeps quiet about advice", () => {
    const workflow = parseWorkflow(
      `${head}steps: { a: { effect: chrage }, b: { compute: nope }, c: { effect: risky, retry: 3 } }`,
      "f.yaml",
    );
    const bind = () => workflow.contract.plan?.bind(new Registry(nodes));
    expect(bind).toThrow(
      expect.objectContaining({
        code: "CONTRACT_INVALID",
        message:
          'f.yaml is not a valid contract:\n  f.yaml:6:23 NODE_UNKNOWN there is no effect "chrage". Did you mean "charge"?\n  f.yaml:6:47 NODE_UNKNOWN there is no compute "nope". There are price.',
        details: [
          expect.objectContaining({ code: "NODE_UNKNOWN", line: 6, column: 23 }),
          expect.objectContaining({ code: "NODE_UNKNOWN", line: 6, column: 47 }),
        ],
      }),
    );
  });
});

test("types that nest without end cost nothing", () => {
  const steps = Array.from(
    { length: 200 },
    (_, i) => `s${i}: { set: { a: "\${ ${i === 0 ? "input" : `s${i - 1}`} }", b: "\${ ${i === 0 ? "input" : `s${i - 1}`} }" } }`,
  ).join("\n");
  const began = performance.now();
  expect(said(`${steps}\nend: { set: "\${ s199 == s198 }" }`)).toEqual([]);
  expect(performance.now() - began).toBeLessThan(60_000);
});
