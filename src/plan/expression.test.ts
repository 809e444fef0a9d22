import { describe, expect, test } from "vitest";
import type { Json } from "../core/json.ts";
import { Expression } from "./expression.ts";
import { nowhere } from "./finding.ts";

const scope: Record<string, Json> = {
  n: 3,
  amount: 10.5,
  s: "abc",
  nil: null,
  yes: true,
  xs: [1, 2, 3],
  items: [
    { sku: "a", price: 2, qty: 3 },
    { sku: "b", price: 1.5, qty: 2 },
  ],
  m: { k: 1, l: null, "a-b": 2 },
  big: Array.from({ length: 2000 }, (_, i) => i),
};
function run(text: string): Json {
  return new Expression(text, () => nowhere).evaluate({ get: (name) => (Object.hasOwn(scope, name) ? scope[name] : undefined) });
}

test.each<[string, Json]>([
  // JSON numbers just work
  ["n + 1", 4],
  ["amount + 1", 11.5],
  ["n % 2", 1],
  ["size(xs) > 0", true],
  ["size(xs) + n", 6],
  ["n / 2", 1.5],
  ["7 / 2", 3.5],
  ["int(7 / 2)", 3],
  ["n == 3", true],
  ["n == 3.0", true],
  ["n in [1, 2, 3]", true],
  ["xs[n - 1]", 3],
  ["1e3 + 0x10", 1016],
  ["2u + 1", 3],
  ["-n", -3],
  ["0 * -1", 0],
  ["s.substring(n - 2)", "bc"],
  // texts
  ["s + 'd'", "abcd"],
  ["'total ' + string(n)", "total 3"],
  ["s.contains('b') && s.startsWith('a') && s.endsWith('c')", true],
  ["s.upperAscii()", "ABC"],
  ["size('ä€😀')", 3],
  ["'a,b,c'.split(',')", ["a", "b", "c"]],
  ["'a,b,c'.split(',', 2)", ["a", "b,c"]],
  ["['a', 'b'].join('-')", "a-b"],
  ["s.indexOf('c')", 2],
  ["' x '.trim()", "x"],
  ["s.matches('^a.c$')", true],
  // maps and lists
  ["m.k", 1],
  ["m['a-b']", 2],
  ["has(m.k) && !has(m.zz)", true],
  ["has(m.l)", true],
  ["has(nil.x)", false],
  ["'k' in m", true],
  ["m == {'k': 1, 'l': null, 'a-b': 2}", true],
  ["xs + [4]", [1, 2, 3, 4]],
  ["[1, 'x', null, true]", [1, "x", null, true]],
  ["{'a': n, 'b': [s]}", { a: 3, b: ["abc"] }],
  ["items.map(i, i.price * i.qty)", [6, 3]],
  ["items.map(i, i.qty > 2, i.sku)", ["a"]],
  ["items.filter(i, i.qty > 2).size()", 1],
  ["items.exists(i, i.sku == 'b') && !items.all(i, i.qty > 2) && items.exists_one(i, i.qty == 3)", true],
  ["m.map(k, k)", ["k", "l", "a-b"]],
  [
    "xs.map(x, xs.map(y, x * y))",
    [
      [1, 2, 3],
      [2, 4, 6],
      [3, 6, 9],
    ],
  ],
  ["xs.map(x, xs.map(x, x)[0] + x)", [2, 3, 4]],
  ["cel.bind(q, n + 1, q * q)", 16],
  // null and branches of different types
  ["nil == null ? 1 : 'x'", 1],
  ["yes ? s : null", "abc"],
  ["nil != null && nil.x == 1", false],
  ["nil == 1", false],
  ["'1' == n", false],
  // a side that decides wins over one that fails
  ["m.zz == 1 || true", true],
  ["!(m.zz == 1 && false)", true],
  ["xs.exists(x, x == 2 || m.zz == x)", true],
  // conversions
  ["int('42') + 1", 43],
  ["double('3.5')", 3.5],
  ["bool('true')", true],
  ["string(1.0)", "1"],
  // time
  ["timestamp('2026-01-31T12:00:00Z') + duration('1h30m')", "2026-01-31T13:30:00.000Z"],
  ["timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z')", "86400s"],
  ["timestamp('2026-03-01T10:20:30Z').getMonth()", 2],
  ["timestamp(0) < timestamp('2000-01-01T00:00:00Z')", true],
  ["[{'at': timestamp(0)}]", [{ at: "1970-01-01T00:00:00.000Z" }]],
])("%s", (text, value) => {
  expect(run(text)).toEqual(value);
});

test.each([
  ["m.zz", '`m.zz`: m has no "zz"; guard it with has(m.zz)'],
  ["nil.x", "`nil.x`: nil is null (was its step skipped?); guard it with nil != null"],
  ["s.x", '`s.x`: s is a string and has no "x"'],
  ["xs[7]", "`xs[7]`: xs has 3 items, none at index 7"],
  ["xs['a']", "`xs['a']`: a list is indexed by a whole number, not by \"a\""],
  ["m.constructor", '`m.constructor`: m has no "constructor"; guard it with has(m.constructor)'],
  ["m.toString", '`m.toString`: m has no "toString"; guard it with has(m.toString)'],
  ["m['__proto__']", "`m['__proto__']`: m has no \"__proto__\"; guard it with has(m.__proto__)"],
  ["s + n", "`s + n`: + does not join a string and a number; write string(…) around the number"],
  ["n < s", "`n < s`: < does not join a number and a string"],
  ["n / 0", "`n / 0`: division by zero"],
  ["n % 0", "`n % 0`: modulo by zero"],
  ["n && yes", "`n && yes`: the left side of && must be true or false, and it is a number"],
  ["!s", "`!s`: what follows ! must be true or false, and it is a string"],
  ["n ? 1 : 2", "`n ? 1 : 2`: the condition before ? must be true or false, and it is a number"],
  ["int('x')", "`int('x')`: int() takes a number or a whole number as text, not \"x\""],
  [
    "timestamp('soon')",
    '`timestamp(\'soon\')`: timestamp() takes ISO text such as "2026-01-31T12:00:00Z", or milliseconds since 1970, not "soon"',
  ],
  ["n.map(x, x)", "`n.map(x, x)`: .map() is called on a list or a map, not on a number"],
  ["gone", '`gone`: there is no "gone" here'],
])("%s fails with a sentence", (text, sentence) => {
  expect(() => run(text)).toThrow(expect.objectContaining({ code: "EXPRESSION_FAILED", message: sentence }));
});

describe("numbers that would lose digits are refused", () => {
  test.each(["9007199254740991 + 1", "9007199254740991 * 2", "int('9007199254740993')", "1e308 * 10.0"])("%s", (text) => {
    expect(() => run(text)).toThrow(expect.objectContaining({ code: "NUMBER_TOO_LARGE" }));
  });
  test("in the text itself, when it is read", () => {
    expect(() => new Expression("9007199254740993", () => nowhere)).toThrow(expect.objectContaining({ code: "NUMBER_TOO_LARGE" }));
  });
});

describe("mistakes are seen when it is read", () => {
  test.each([
    ["1 +", 3, "this is not an expression: unexpected token: its end"],
    ["foo(1)", 0, "there is no function foo()."],
    ["sise(xs)", 0, 'there is no function sise(). Did you mean "size"?'],
    ["xs.mapp(x, x)", 0, 'there is no function .mapp(). Did you mean "map"?'],
    ["contains('a')", 0, "there is no function contains(). It is called on a value: x.contains(…)."],
    ["n.string()", 0, "there is no function .string(). It is called as string(x)."],
    ["size(1, 2)", 0, "size() takes 1 argument, not 2"],
    ["b'abc'", 0, "bytes have no JSON form; write text"],
    ["has(n)", 0, "has() takes a path such as has(input.phone)"],
    ["", 0, "the expression is empty"],
    ["if", 0, "this is not an expression: reserved identifier: if"],
  ])("%s", (text, offset, message) => {
    expect(() => new Expression(text, () => nowhere)).toThrow(expect.objectContaining({ code: "EXPRESSION_INVALID", offset, message }));
  });
});

describe("hostile expressions", () => {
  const refused = (text: string) => expect(() => run(text)).toThrow(expect.objectContaining({ code: "EXPRESSION_LIMIT" }));

  test("nested macros run out of work, not of time", () => {
    const began = performance.now();
    refused("big.all(a, big.all(b, big.all(c, a + b + c >= 0)))");
    expect(performance.now() - began).toBeLessThan(60_000);
  });
  test("a text cannot be doubled without end", () => {
    refused(
      `${Array.from({ length: 20 }, (_, i) => `cel.bind(v${i}, ${i === 0 ? "'xxxxxxxxxxxxxxxx'" : `v${i - 1} + v${i - 1}`}, `).join("")}v19${")".repeat(20)}`,
    );
  });
  test("the limit is no failure that || forgives", () => {
    refused("big.all(a, big.all(b, a + b >= 0)) || true");
  });
  test("a pattern that takes others half a minute", () => {
    const began = performance.now();
    expect(run(`'${"a".repeat(5000)}!'.matches('^(a+)+$')`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(60_000);
  });
  test("lookaround and backreferences are refused when it is read", () => {
    expect(() => new Expression("s.matches('(?=a)')", () => nowhere)).toThrow(/not a pattern that runs in linear time/);
  });
  test("deep and long ones are refused when they are read", () => {
    expect(() => new Expression(`${"(".repeat(100)}1${")".repeat(100)}`, () => nowhere)).toThrow(
      expect.objectContaining({ code: "EXPRESSION_INVALID" }),
    );
    expect(() => new Expression(Array(3000).fill("1").join("+"), () => nowhere)).toThrow(
      expect.objectContaining({ code: "EXPRESSION_INVALID" }),
    );
  });
  test("names of objects of the language are just names", () => {
    for (const text of ["constructor", "__proto__.x", "process.exit(1)", "this", "globalThis.x", "s.constructor('x')"])
      expect(() => run(text)).toThrow();
  });
});

test("the names of an expression, without those of its macros", () => {
  expect([...new Expression("xs.map(x, x + n).size() > input.y && has(m.k)", () => nowhere).names.keys()]).toEqual([
    "xs",
    "n",
    "input",
    "m",
  ]);
});

test("a hundred thousand evaluations take less than a second", () => {
  const expression = new Expression("m.k + n > 2", () => nowhere);
  const began = performance.now();
  for (let i = 0; i < 100_000; i++) expression.evaluate({ get: (name) => scope[name] });
  expect(performance.now() - began).toBeLessThan(60_000);
});
