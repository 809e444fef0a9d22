import { describe, expect, test } from "vitest";
import { fence } from "./fence.ts";
import { Findings, describe as line } from "./finding.ts";

function read(text: string) {
  const findings = new Findings("f.yaml");
  const began = performance.now();
  const fenced = fence(text, findings);
  return { data: fenced?.data, places: fenced?.places, said: findings.sorted().map(line), ms: performance.now() - began };
}

describe("what passes", () => {
  test("scalars are those of YAML 1.2: no, yes and on are text", () => {
    expect(read("{ a: no, b: yes, c: on, d: true, e: 1.5, f: ~, g: 1.0.0, h: 0x10, i: '1' }").data).toEqual({
      a: "no",
      b: "yes",
      c: "on",
      d: true,
      e: 1.5,
      f: null,
      g: "1.0.0",
      h: 16,
      i: "1",
    });
  });

  test("maps have no prototype", () => {
    expect(Object.getPrototypeOf(read("a: 1").data)).toBeNull();
  });

  test("an alias is a copy of what it names", () => {
    expect(read("a: &x { b: 1 }\nc: *x\n").data).toEqual({ a: { b: 1 }, c: { b: 1 } });
  });

  test("every node has a place", () => {
    const { data, places } = read("steps:\n  price:\n    with: { a: [1, two] }\n");
    const steps = (data as { steps: { price: { with: { a: unknown[] } } } }).steps;
    expect(places?.key(steps, "price")).toEqual({ line: 2, column: 3 });
    expect(places?.value(steps.price, "with")).toEqual({ line: 3, column: 11 });
    expect(places?.value(steps.price.with.a, 1)).toEqual({ line: 3, column: 20 });
    expect(places?.source(steps.price.with.a, 1)?.text).toBe("two");
  });

  test("sixty levels of lists, and sixty of maps", () => {
    expect(read(`a: ${"[".repeat(60)}${"]".repeat(60)}`).said).toEqual([]);
    expect(read(Array.from({ length: 60 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")).said).toEqual([]);
  });

  test("a thousand steps one after the other are not deep", () => {
    expect(
      read(`steps:\n${Array.from({ length: 1000 }, (_, i) => `  s${i}:\n    set:\n      - a: 1\n        b: |\n          text\n`).join("")}`)
        .said,
    ).toEqual([]);
  });
});

test.each([
  ["a: 1\na: 2", 'f.yaml:2:1 YAML_INVALID the key "a" stands here a second time; the first is in line 1'],
  ["{ __proto__: 1 }", 'f.yaml:1:3 YAML_INVALID the key "__proto__" is not allowed; take another name'],
  ["constructor: 1", 'f.yaml:1:1 YAML_INVALID the key "constructor" is not allowed; take another name'],
  ['"prototype": 1', 'f.yaml:1:1 YAML_INVALID the key "prototype" is not allowed; take another name'],
  ["when: !x.y", 'f.yaml:1:7 YAML_INVALID !x.y is read as a YAML tag; a value that begins with ! must be quoted, as in "!x.y"'],
  [
    "a: !!js/function x",
    'f.yaml:1:4 YAML_INVALID !!js/function is read as a YAML tag; a value that begins with ! must be quoted, as in "!!js/function"',
  ],
  ["a: *x", "f.yaml:1:4 YAML_INVALID there is no anchor &x above this alias; a value that begins with * must be quoted"],
  ["a: &x [*x]", "f.yaml:1:8 YAML_INVALID the alias *x stands inside the value that it names"],
  ["a: &x {b: 1}\nc: {<<: *x}", "f.yaml:2:5 YAML_INVALID merge keys (<<) are not part of YAML 1.2; write the keys out"],
  ["a:\n\tb: 1", "f.yaml:2:1 YAML_INVALID a tab is used as indentation; YAML takes spaces only"],
  [
    "a: 1\n---\nb: 2",
    "f.yaml:2:1 YAML_INVALID a second document begins here (---), and only the first would be read; give it a file of its own",
  ],
  ["[a]: 1", "f.yaml:1:1 YAML_INVALID a key must be plain text; quote it if it begins with [, {, * or &"],
  ["a: .inf", "f.yaml:1:4 YAML_INVALID Infinity has no JSON form; write null or a quoted text"],
  ["a: 9007199254740993", "f.yaml:1:4 NUMBER_TOO_LARGE a whole number beyond 2^53 loses digits in JSON; quote it as text"],
  [
    "a: [1, 2",
    "f.yaml:1:9 YAML_INVALID this is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
  ],
  [
    `a: ${"x".repeat(300_000)}`,
    "f.yaml:1:4 YAML_TOO_LARGE this text has 300000 characters; a value has at most 262144: hand large data in as input",
  ],
])("%s", (text, sentence) => {
  const { said, data } = read(text);
  expect(said[0]).toBe(sentence);
  expect(data).toBeUndefined();
});

describe("hostile files are refused, and soon", () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghij"].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefghij"[i]}`).join(",")}]`).join("\n")}`;
  test.each([
    ["an alias bomb", bomb, "f.yaml:3:8 YAML_TOO_LARGE the file has more than 100 aliases; write the values out"],
    ["100,000 keys", Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join("\n"), /YAML_TOO_LARGE/],
    ["60,000 keys in one line", `{${Array.from({ length: 60_000 }, (_, i) => `k${i}: 1`).join(",")}}`, /YAML_TOO_LARGE/],
    ["25,000 values", `[${"1,".repeat(25_000)}1]`, /YAML_TOO_LARGE the file has more than 20000 values/],
    ["10,000 brackets", "[".repeat(10_000), /YAML_TOO_LARGE values are nested more than 64 deep here/],
    ["10,000 braces", "{a: ".repeat(10_000), /YAML_TOO_LARGE values are nested more than 64 deep here/],
    ["10,000 dashes", `${"- ".repeat(10_000)}x`, /YAML_TOO_LARGE values are nested more than 64 deep here/],
    ["10,000 question marks", `${"? ".repeat(10_000)}x`, /YAML_TOO_LARGE values are nested more than 64 deep here/],
    [
      "1,000 indents",
      Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
      "f.yaml:65:1 YAML_TOO_LARGE values are nested more than 64 deep here; move inner steps into a workflow of their own",
    ],
    ["2 MiB", "x".repeat(2 * 1024 * 1024), "f.yaml:1:1 YAML_TOO_LARGE the file has 2097152 bytes; a contract has at most 1048576 (1 MiB)"],
  ])("%s", (_, text, sentence) => {
    const { said, ms } = read(text);
    expect(said[0]).toMatch(sentence);
    expect(ms).toBeLessThan(60_000);
  });
});
