/** What is a difference in meaning between two contracts, and whom it concerns. */
import { expect, test } from "vitest";
import { z } from "zod";
import { effect } from "../../node/effect.ts";
import { Registry } from "../../node/registry.ts";
import { Findings } from "../finding.ts";
import { readText } from "../workflow.ts";
import { diffFlows } from "./flows.ts";

const act = effect({ name: "act", input: z.any(), output: z.object({ id: z.string() }), idempotent: true, timeout: "10s" }, async () => ({
  id: "",
}));
const newer = effect(
  {
    name: "act",
    version: "1.1.0",
    input: z.any(),
    output: z.object({ id: z.string(), more: z.number() }),
    idempotent: true,
    timeout: "20s",
  },
  async () => ({ id: "", more: 1 }),
);

function read(text: string) {
  const findings = new Findings("f.yaml");
  const found = readText(`onex: v1\nkind: workflow\n${text}`, findings, () => undefined);
  if (!found) throw new Error(JSON.stringify(findings.sorted()));
  return found;
}
/** Lines as they are shown, without colours. */
function diff(old: string, now: string, nodes: readonly [Registry, Registry] | [] = []): string[] {
  return diffFlows({ read: read(old), nodes: nodes[0] }, { read: read(now), nodes: nodes[1] }).map(
    ({ mark, what, detail, concerns }) => `${mark} ${what}${detail === "" ? "" : `: ${detail}`} [${concerns.join(" ") || "nobody"}]`,
  );
}
const head = "name: t\nversion: 1.0.0\ntimeout: 1d\nsignals: { go: {} }\n";
const steps = (text: string) => `${head}steps:\n${text}`;
const base = steps(
  '  a: { effect: act, with: { n: "${ input.n + 1 }", to: x } }\n  b: { effect: act, with: "${ a.id }", timeout: 10s }\n  c: { effect: act, needs: [a, b] }\n',
);

test("how it is written is no difference", () => {
  const other = `# Another hand\nversion: 1.0.0\nsignals:\n  go: {}\ntimeout: 24h\nname: t\nsteps:
  a:
    with: { to: "x", n: "\${input.n+1}" }   # keys in another order
    effect: act
  b: { effect: act, timeout: 10s, with: "\${a.id}", needs: [a] }
  c: { effect: act, with: {}, needs: [b, a] }
`;
  expect(diff(base, base)).toEqual([]);
  expect(diff(base, other)).toEqual([]);
});

test.each([
  ["a step came", base.replace("  c:", "  d: { effect: act, needs: [b], with: new }\n  c:"), ["+ step d: effect act, after b [runs]"]],
  [
    "a step went",
    steps('  a: { effect: act, with: { n: "${ input.n + 1 }", to: x } }\n  c: { effect: act, needs: [a] }\n'),
    ["- step b: effect act [runs]"],
  ],
  [
    "a step was renamed, and so it is called by others",
    base.replaceAll("a.id", "z.id").replace("  a:", "  z:").replace("[a, b]", "[z, b]"),
    ["~ step a: renamed to z [runs]"],
  ],
  [
    "an input",
    base.replace("to: x", "to: y"),
    ['~ step a: input { n: ${ input.n + 1 }, to: "x" } → { n: ${ input.n + 1 }, to: "y" } [runs]'],
  ],
  ["a timeout", base.replace("10s", "20s"), ["~ step b: timeout 10s → 20s [runs]"]],
  ["a node", base.replace("c: { effect: act", "c: { effect: other"), ["~ step c: effect act → effect other [runs]"]],
  ["a verb", base.replace("c: { effect: act", "c: { wait: go"), ["~ step c: effect act → wait go [runs]"]],
  ["a condition", base.replace("needs: [a, b]", 'needs: [a, b], when: "input.n>1"'), ["~ step c: when none → input.n > 1 [runs]"]],
  [
    "a retry",
    base.replace("timeout: 10s", "timeout: 10s, retry: 2"),
    ["~ step b: retry none → 2 attempts, exponential, delay 1s, at most 1m [runs]"],
  ],
  ["an undo", base.replace("timeout: 10s", "timeout: 10s, undo: { effect: back }"), ["~ step b: undo none → effect back [runs]"]],
  ["an edge went", base.replace("[a, b]", "[a]"), ["- edge b → c [runs]"]],
  ["the whole's time", base.replace("1d", "2d"), ["~ timeout: 1d → 2d [runs]"]],
  [
    "what is for people",
    base.replace("version: 1.0.0", "version: 1.0.1\ndescription: D\nlabels: [l]"),
    ["~ version: 1.0.0 → 1.0.1 [nobody]", "~ description: none → D [nobody]", "~ labels: none → l [nobody]"],
  ],
  ["values", `values: { k: 1 }\n${base}`, ["~ value k: none → 1 [runs]"]],
  ["signals", base.replace("go: {}", "other: {}"), ["- signal go [callers runs]", "+ signal other [nobody]"]],
])("%s", (_, now, lines) => {
  expect(diff(base, now)).toEqual(lines);
});

test("blocks are compared within", () => {
  const block = (limit: string, inner: string) =>
    steps(
      `  g: { steps: { x: { effect: act }, y: { effect: act, needs: [x]${inner} } }, output: "\${ y }" }\n  l: { each: "[1, 2]", do: { effect: act, with: "\${ item }" }, concurrency: ${limit} }\n`,
    );
  expect(diff(block("2", ""), block("3", ", timeout: 1s"))).toEqual([
    "~ step g/y: timeout none → 1s [runs]",
    "~ step l: concurrency 2 → 3 [runs]",
  ]);
});

const input = (text: string) => `input: { type: object, ${text} }\n${base}`;
test.each([
  [
    "a field that must be given",
    "properties: { n: { type: number } }",
    "required: [m], properties: { n: { type: number }, m: { type: string } }",
    ["+ input .m: a string, required [callers]"],
  ],
  [
    "a field that may be given",
    "properties: { n: { type: number } }",
    "properties: { n: { type: number }, m: { type: string } }",
    ["+ input .m: a string, optional [nobody]"],
  ],
  [
    "a type that takes more",
    "properties: { n: { type: number } }",
    "properties: { n: { type: [number, string] } }",
    ["~ input .n: a number → a number or a string (widened) [nobody]"],
  ],
  [
    "a type that takes less",
    "properties: { n: { type: [number, string] } }",
    "properties: { n: { type: number } }",
    ["~ input .n: a number or a string → a number (narrowed) [callers]"],
  ],
  [
    "a value that is taken no more",
    "properties: { n: { enum: [a, b] } }",
    "properties: { n: { enum: [a] } }",
    ['~ input .n: "a" or "b" → "a" (narrowed) [callers]'],
  ],
  [
    "limits",
    "properties: { n: { type: number } }",
    "properties: { n: { type: number, minimum: 3 } }",
    ["~ input: its limits were changed (lengths, ranges, patterns, defaults) [callers]"],
  ],
  [
    "words and order",
    "properties: { n: { type: number }, m: {} }, required: [n, m]",
    "required: [m, n], description: D, properties: { m: {}, n: { type: number, title: T } }",
    [],
  ],
])("input: %s", (_, old, now, lines) => {
  expect(diff(input(old), input(now))).toEqual(lines);
});

test("the nodes that it calls, where they are known", () => {
  expect(diff(base, base, [new Registry([act]), new Registry([newer])])).toEqual([
    "~ effect act: version 1.0.0 → 1.1.0 [runs]",
    "+ effect act output .more: a number, required [nobody]",
    "~ effect act: timeout 10s → 20s [runs]",
  ]);
});

test("without an output it is the last step's value", () => {
  const lines = diff(
    steps("  a: { effect: act, with: 1 }\n  b: { effect: act, with: 2 }\n"),
    steps("  b: { effect: act, with: 2 }\n  a: { effect: act, with: 1 }\n"),
  );
  expect(lines).toEqual(["~ output: the value of step b → the value of step a [callers runs]"]);
});
