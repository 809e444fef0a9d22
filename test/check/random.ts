/** Random contracts as text: shaped like the grammar, real ones with a slip in them, and junk. */
import fc from "fast-check";
import { parse, stringify } from "yaml";

// ── expressions ──

const names = ["input", "values", "run", "item", "index", "last", "error", "done", "one", "two", "three", "four", "x", "nobody"];
const fields = ["id", "total", "items", "name", "email", "receipt", "winner", "value", "code", "day", "0", "constructor", "ö"];
const atom: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("1", "0", "-3", "2.5", "'a'", '"b"', "true", "false", "null", "[]", "{}", "[1, 'a']", "{'a': 1}", "1u", "b'x'", "''"),
  fc.tuple(fc.constantFrom(...names), fc.array(fc.constantFrom(...fields), { maxLength: 2 })).map((parts) => parts.flat().join(".")),
);
function expression(depth: number): fc.Arbitrary<string> {
  if (depth === 0) return atom;
  const inner = expression(depth - 1);
  return fc.oneof(
    { weight: 4, arbitrary: atom },
    fc
      .tuple(inner, fc.constantFrom("+", "-", "*", "/", "%", "<", ">=", "==", "!=", "&&", "||", "in", "=", "??"), inner)
      .map(([a, operator, b]) => `${a} ${operator} ${b}`),
    fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    fc
      .tuple(inner, fc.constantFrom("map", "filter", "all", "exists", "exists_one"), inner)
      .map(([a, macro, b]) => `${a}.${macro}(x, ${b})`),
    fc
      .tuple(inner, fc.constantFrom("size", "contains", "split", "getHours", "substring", "trim", "matches"), inner)
      .map(([a, f, b]) => `${a}.${f}(${b})`),
    fc
      .tuple(fc.constantFrom("size", "string", "int", "has", "timestamp", "duration", "bool", "dyn", "type", "cel.bind"), inner)
      .map(([f, a]) => `${f}(${a})`),
    fc.tuple(inner, inner).map(([a, b]) => `${a}[${b}]`),
    inner.map((a) => `!(${a})`),
    inner.map((a) => `cel.bind(x, ${a}, x)`),
  );
}
const cel = expression(3);

// ── steps ──

type Tree = { readonly [key: string]: unknown };
const template: fc.Arbitrary<unknown> = fc.oneof(
  cel.map((text) => `\${ ${text} }`),
  cel.map((text) => `so ${"$"}{ ${text} } and \${${text}}`),
  fc.constantFrom<unknown>(1, "plain", null, true, [], {}, "$${", "${", "${ }"),
  fc.dictionary(
    fc.constantFrom("items", "amount", "card", "to", "text", "order"),
    cel.map((text) => `\${ ${text} }`),
    { maxKeys: 3 },
  ),
  fc.array(
    cel.map((text) => `\${ ${text} }`),
    { maxLength: 3 },
  ),
);
const node = fc.constantFrom(
  "price-cart",
  "charge-card@1",
  "send-mail",
  "stock-level",
  "read-rows",
  "shipping@2",
  "find-user",
  "nobody",
  "Bad Name",
);
const length = fc.constantFrom("5s", "1h", "10", "${ input.day }", "never");
const stepNames = fc.constantFrom("one", "two", "three", "four", "input", "a-b", "list");

const { step } = fc.letrec<{ step: Tree; verb: Tree; steps: Tree; modifiers: Tree }>((tie) => ({
  steps: fc.dictionary(stepNames, tie("step"), { minKeys: 1, maxKeys: 4, depthIdentifier: "steps" }),
  verb: fc.oneof(
    { depthIdentifier: "steps", withCrossShrink: true, maxDepth: 4 },
    fc.record({ set: template }),
    fc.record({ wait: fc.constantFrom("approval", "nothing") }),
    fc.record({ sleep: length }),
    fc.record({ fail: fc.oneof(template, fc.record({ code: template, message: template })) }),
    fc.record({ read: node, key: template }, { requiredKeys: ["read"] }),
    fc
      .tuple(fc.constantFrom("compute", "effect", "reducer", "workflow"), node, template, fc.boolean())
      .map(([kind, name, input, given]) => (given ? { [kind]: name, with: input } : { [kind]: name })),
    fc.record({ steps: tie("steps"), output: template }, { requiredKeys: ["steps"] }),
    fc.record({ switch: fc.array(tie("step"), { maxLength: 3, depthIdentifier: "steps" }) }),
    fc.record({ race: tie("steps") }),
    fc.record(
      { each: fc.oneof(cel, fc.record({ effect: node, with: template })), do: tie("step"), as: stepNames, batchSize: fc.integer() },
      { requiredKeys: ["each", "do"] },
    ),
    fc.record(
      { repeat: tie("step"), until: cel, max: fc.integer({ min: -1, max: 9 }), every: length },
      { requiredKeys: ["repeat", "until"] },
    ),
  ) as fc.Arbitrary<Tree>,
  modifiers: fc.record(
    {
      when: cel,
      default: template,
      needs: fc.oneof(
        fc.array(stepNames, { maxLength: 3 }),
        fc.record({ any: fc.array(stepNames, { maxLength: 3 }), count: fc.integer({ min: 0, max: 3 }) }),
      ),
      timeout: length,
      retry: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constant(false), fc.record({ maxAttempts: fc.integer(), delay: length })),
      onError: fc.oneof({ depthIdentifier: "steps", maxDepth: 4 }, fc.constantFrom("fail", "continue", "ignore"), tie("step")),
      undo: fc.oneof({ depthIdentifier: "steps", maxDepth: 4 }, fc.constant("no"), tie("step")),
      priority: fc.integer({ min: 0, max: 3 }),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Tree>,
  step: fc.tuple(tie("verb"), tie("modifiers"), fc.integer({ min: 0, max: 3 })).map(([verb, modifiers, plain]) => ({
    ...verb,
    ...(plain > 0 ? {} : modifiers),
  })),
}));

const schema: fc.Arbitrary<unknown> = fc.constantFrom<unknown>(
  true,
  { type: "object", required: ["items"], properties: { items: { type: "array", items: { type: "number" } }, day: { type: "string" } } },
  { type: "object", properties: { id: { enum: ["a", 1, null] }, total: { type: ["number", "null"], minimum: 3 } } },
  { $ref: "#/$defs/node", $defs: { node: { type: "object", properties: { items: { type: "array", items: { $ref: "#/$defs/node" } } } } } },
  { allOf: [{ properties: { id: { const: 1 } } }, { anyOf: [{ type: "string" }, { type: "object", additionalProperties: false }] }] },
  { type: "strng" },
  { $ref: "./nowhere.json" },
  7,
);

/** A contract that is nearly right. */
export const shaped: fc.Arbitrary<string> = fc
  .record(
    {
      onex: fc.constant("v1"),
      kind: fc.constant("workflow"),
      name: fc.constant("random"),
      version: fc.constantFrom("1.0.0", 1, "1"),
      input: schema,
      config: schema,
      signals: fc.dictionary(fc.constantFrom("approval", "stop"), schema, { maxKeys: 2 }),
      values: fc.dictionary(fc.constantFrom("total", "items"), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2 }),
      timeout: fc.constantFrom("1h", "10"),
      defaults: fc.constantFrom<unknown>({ retry: 3 }, { timeout: "1h" }, 3),
      steps: fc.dictionary(stepNames, step, { minKeys: 1, maxKeys: 4 }),
      output: template,
    },
    { requiredKeys: ["onex", "kind", "name", "version", "steps", "timeout"] },
  )
  .map((contract) => stringify(contract, { aliasDuplicateObjects: false }));

// ── real ones with a slip ──

const odd = fc.constantFrom(
  "\t",
  "\u0000",
  "\u2028",
  "😀",
  "\uFEFF",
  "\r",
  "${",
  "}",
  "'",
  '"',
  "*a",
  "&a ",
  "!!x ",
  "<<: ",
  "- ",
  ": ",
  "%",
  "|\n",
  "\ud800",
  "#",
);

/** One slip in the text: cut off, repeated, swapped, with something odd in it. */
function slipInText(text: string): fc.Arbitrary<string> {
  const at = fc.nat({ max: text.length });
  const lines = text.split("\n");
  const line = fc.nat({ max: lines.length - 1 });
  return fc.oneof(
    at.map((i) => text.slice(0, i)),
    fc.tuple(at, odd).map(([i, what]) => text.slice(0, i) + what + text.slice(i)),
    fc.tuple(at, fc.integer({ min: 1, max: 20 })).map(([i, count]) => text.slice(0, i) + text.slice(i + count)),
    line.map((i) => lines.toSpliced(i, 1).join("\n")),
    line.map((i) => lines.toSpliced(i, 0, lines[i] ?? "").join("\n")),
    fc.tuple(line, line).map(([i, j]) =>
      lines
        .with(i, lines[j] ?? "")
        .with(j, lines[i] ?? "")
        .join("\n"),
    ),
    fc.tuple(line, fc.integer({ min: 1, max: 4 })).map(([i, by]) => lines.with(i, " ".repeat(by) + (lines[i] ?? "")).join("\n")),
  );
}

interface Slot {
  readonly holder: Record<string, unknown> | unknown[];
  readonly key: string;
}
function slots(value: unknown): Slot[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...slots(holder[key])]);
}

/** One slip in the values: dropped, renamed, changed, swapped. */
function slipInData(text: string): fc.Arbitrary<string> {
  const count = slots(parse(text, { logLevel: "silent" })).length;
  return fc
    .record({
      what: fc.nat({ max: 4 }),
      a: fc.nat({ max: Math.max(0, count - 1) }),
      b: fc.nat({ max: Math.max(0, count - 1) }),
      value: fc.oneof(template, fc.jsonValue({ maxDepth: 1 })),
    })
    .map(({ what, a, b, value }) => {
      const data = parse(text, { logLevel: "silent" }) as unknown;
      const all = slots(data);
      const one = all[a];
      const other = all[b];
      if (!one || !other) return text;
      const holder = one.holder as Record<string, unknown>;
      const before = holder[one.key];
      if (what === 0) delete holder[one.key];
      else if (what === 1) holder[one.key] = value;
      else if (what === 2) {
        delete holder[one.key];
        holder[`${one.key}x`] = before;
      } else if (what === 3) {
        const there = (other.holder as Record<string, unknown>)[other.key];
        holder[one.key] = structuredClone(there);
        (other.holder as Record<string, unknown>)[other.key] = structuredClone(before);
      } else holder[one.key] = [structuredClone(before)];
      return stringify(data, { aliasDuplicateObjects: false });
    });
}

/** One of `texts` with one to three slips. */
export function slipped(texts: readonly string[]): fc.Arbitrary<string> {
  const slip = (text: string): fc.Arbitrary<string> => {
    try {
      return fc.oneof(slipInText(text), slipInData(text));
    } catch {
      return slipInText(text);
    }
  };
  return fc
    .constantFrom(...texts)
    .chain(slip)
    .chain((text) => fc.oneof(fc.constant(text), slipInText(text)));
}

/** Text that nobody meant as a contract. */
export const junk: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.string({
    unit: fc.oneof(odd, fc.constantFrom("a", "b", "\n", " ", "  ", "steps", "set", "[", "]", "{", ",", "-", "?", ">", "~")),
    maxLength: 60,
  }),
  fc
    .array(
      fc.constantFrom(
        "onex: v1",
        "kind: workflow",
        "steps:",
        "  one: { set: 1 }",
        "name: x",
        "version: 1.0.0",
        "---",
        "...",
        "? [a]",
        "  - &x *x",
        "\tone: 1",
      ),
      { maxLength: 12 },
    )
    .map((lines) => lines.join("\n")),
);
