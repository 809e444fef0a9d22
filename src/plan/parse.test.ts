import { describe, expect, test } from "vitest";
import { Findings, describe as line } from "./finding.ts";
import { readText } from "./workflow.ts";

const head = "onex: v1\nkind: workflow\nname: t\nversion: 1.0.0\ntimeout: 1d\n";
/** Findings of a file; steps begin in line 7, two columns in. */
function said(text: string): string[] {
  const findings = new Findings("f.yaml");
  readText(text, findings, () => undefined);
  return findings.sorted().map((finding) => line(finding).replace("f.yaml:", ""));
}
function steps(text: string): string[] {
  return said(
    `${head}steps:\n${text
      .split("\n")
      .map((row) => `  ${row}`)
      .join("\n")}`,
  );
}

describe("a contract", () => {
  test.each([
    ["", ['1:1 PLAN_INVALID a contract is a map that begins with "onex: v1", not nothing (null)']],
    ["- a", ['1:1 PLAN_INVALID a contract is a map that begins with "onex: v1", not a list']],
    [
      "onex: v2\nkynd: workflow\nname: T_x\nversion: 1.0\ntimeout: 30\nsteps: {a: {set: 1}}",
      [
        '1:1 PLAN_INVALID a contract says "kind: workflow"',
        '1:7 PLAN_INVALID this version of onex reads "onex: v1", not "v2"',
        '2:1 PLAN_INVALID a contract has no "kynd". Did you mean "kind"?',
        '3:7 PLAN_INVALID name is kebab-case, such as "load-files", not "T_x"',
        '4:10 PLAN_INVALID version is the number 1; write all three parts, as in "1.0.0"',
        '5:10 PLAN_INVALID timeout has no unit; write "30s" or another of ms, s, m, h, d',
      ],
    ],
    [`${head}steps: {}`, ["6:8 PLAN_INVALID steps is empty; write at least one step"]],
    [`${head}steps: []`, ["6:8 PLAN_INVALID steps is a map, not a list"]],
    [`${head}concurrency: 0\nsteps: {a: {set: 1}}`, ["6:14 PLAN_INVALID concurrency is a whole number from 1 to 10000, not 0"]],
    [
      `${head}onFailure: compensat\nsteps: {a: {set: 1}}`,
      ['6:12 PLAN_INVALID onFailure is compensate or stop, not "compensat". Did you mean "compensate"?'],
    ],
    [
      `${head}values: {x: "\${ 1 }"}\nsteps: {a: {set: 1}}`,
      ["6:13 EXPRESSION_INVALID values are constants; write the expression where the value is used"],
    ],
    [`${head}labels: a\nsteps: {a: {set: 1}}`, ['6:9 PLAN_INVALID labels is a list, not "a"']],
    [`${head}defaults: {timeouts: 3s}\nsteps: {a: {set: 1}}`, ['6:12 PLAN_INVALID defaults has no "timeouts". Did you mean "timeout"?']],
    [
      "onex: v1\nkind: workflow\nname: t\nversion: 1.0.0\nsteps: {a: {set: 1}}",
      ["3:1 TIMEOUT_MISSING the run has no timeout: one that hangs is never ended; write `timeout: 1d` or what fits"],
    ],
    [`${head}input: x.json\nsteps: {a: {set: 1}}`, ['6:8 PLAN_INVALID input is a JSON Schema or { $ref: ./file.json }, not "x.json"']],
  ])("%j", (text, sentences) => {
    expect(said(text)).toEqual(sentences);
  });
});

describe("a step", () => {
  test.each([
    ["a: { compte: x }", '7:6 PLAN_INVALID the step "a" has no verb; "compte" is not one. Did you mean "compute"?'],
    [
      "a: { description: x }",
      'the step "a" has no verb; it needs one of compute, effect, reducer, workflow, read, wait, sleep, set, fail, steps, switch, each, race or repeat',
    ],
    [
      "a: { compute: x, effect: y }",
      '7:6 PLAN_INVALID the step "a" has 2 verbs, "compute" and "effect"; a step does one thing: make it two steps',
    ],
    ["a: 1", '7:6 PLAN_INVALID the step "a" is a map with one verb'],
    ["a: { compute: x, whit: 1 }", '7:20 PLAN_INVALID a compute step has no "whit". Did you mean "with"?'],
    ["a: { set: 1, timeout: 3s }", '7:16 PLAN_INVALID "timeout" belongs to calls, waits or blocks, and this is a set step'],
    [
      "a: { steps: {b: {set: 1}}, retry: 3 }",
      '7:30 PLAN_INVALID "retry" belongs to compute, effect, reducer or workflow, and this is a steps step; write it on the calls inside',
    ],
    ["a: { compute: x, undo: {effect: y} }", '7:20 PLAN_INVALID "undo" belongs to effect, and this is a compute step'],
    [
      "a: { compute: Charge_Card }",
      '7:17 PLAN_INVALID "Charge_Card" is not the name of a node: names are kebab-case, with an optional version, such as "charge-card"',
    ],
    ["a: { compute: x@two }", '7:17 PLAN_INVALID "x@two" is not the name of a node'],
    ["a: { effect: x, timeout: 3 sec }", '7:28 PLAN_INVALID timeout is a duration such as "30s", "5m" or "2d", not "3 sec"'],
    [
      "a: { effect: x, retry: true }",
      "7:26 PLAN_INVALID retry is a number of attempts, false, or a policy such as { maxAttempts: 5, delay: 1s }, not true",
    ],
    ["a: { effect: x, retry: { maxAttempt: 3 } }", '7:28 PLAN_INVALID a retry policy has no "maxAttempt". Did you mean "maxAttempts"?'],
    ["a: { effect: x, retry: 0 }", "7:26 PLAN_INVALID retry (a number of attempts) is a whole number from 1 to 1000, not 0"],
    ["a: { effect: x, priority: 2000 }", "7:29 PLAN_INVALID priority is a whole number from 1 to 1000, not 2000"],
    ["a: { effect: x, keep: yes }", '7:25 PLAN_INVALID keep is true or false, not "yes"'],
    ["a: { set: 1, onError: contine }", '7:25 PLAN_INVALID onError is fail, continue or a step, not "contine"'],
    ["a: { set: 1, default: 3 }", "7:25 PLAN_INVALID default is the value of a step that is skipped; without when it never is"],
    ["a: { sleep: 3 }", '7:15 PLAN_INVALID sleep has no unit; write "3s" or another of ms, s, m, h, d'],
    ["a: { sleep: soon }", '7:15 PLAN_INVALID sleep is a duration such as "30s", "5m" or "2d", not "soon"'],
    ["a: { fail: x }", '7:14 PLAN_INVALID fail is { code, message, details }, or "${ error }" in an onError'],
    ["a: { fail: {code: bad} }", '7:21 PLAN_INVALID a code is in capitals, such as NOT_APPROVED, not "bad"'],
    ["a: { fail: {message: bad} }", "7:14 PLAN_INVALID fail needs a code, such as NOT_APPROVED"],
    [
      "a: { wait: approval }",
      '7:14 SIGNAL_UNDECLARED the signal "approval" is not declared. Write it at the top of the file: signals: { approval: { type: object } }',
    ],
    [
      "a: { switch: [{set: 1}, {when: true, set: 2}] }",
      "7:17 PLAN_INVALID a case without when is always taken, so it must be the last one",
    ],
    ["a: { switch: [] }", "7:16 PLAN_INVALID switch is empty; write at least one case"],
    ["a: { race: {} }", "7:14 PLAN_INVALID race is empty; write at least one branch"],
    ["a: { each: { with: 1 }, do: { set: 1 } }", '7:14 PLAN_INVALID each goes over a list, or over a stream: { effect: NAME, with: "…" }'],
    [
      "a: { each: { effect: rows, keep: true }, do: { set: 1 } }",
      '7:30 PLAN_INVALID a stream has no "keep". It may have effect, with, timeout or retry.',
    ],
    [
      "a: { each: { effect: Rows }, do: { set: 1 } }",
      '7:24 PLAN_INVALID "Rows" is not the name of a node: names are kebab-case, with an optional version, such as "rows"',
    ],
    ["a: { each: input.xs }", "7:14 PLAN_INVALID each needs a `do`: the step that is done for each item"],
    [
      "a: { repeat: { compute: x }, until: last.done }",
      "7:16 PLAN_INVALID repeat needs `max`: after so many turns it fails with REPEAT_LIMIT",
    ],
    ["a: { repeat: { compute: x }, max: 3 }", "7:16 PLAN_INVALID repeat needs `until`: the expression that ends it, such as last.done"],
  ])("%s", (text, sentence) => {
    expect(steps(text).join("\n")).toContain(sentence);
  });
});

describe("names", () => {
  test.each([
    ["charge-card: { set: 1 }", '7:3 NAME_INVALID step "charge-card" would be a subtraction in an expression; write "charge_card"'],
    ["input: { set: 1 }", '7:3 NAME_INVALID step "input" is the name of a scope; take another name'],
    ["map: { set: 1 }", '7:3 NAME_INVALID step "map" is a word of the expression language; take another name'],
    ["9a: { set: 1 }", '7:3 NAME_INVALID step "9a" is not a name: use letters, digits and _, and begin with a letter'],
    ["a: { steps: { b: {set: 1} } }\nb: { set: 1 }", '7:17 NAME_SHADOWED the step "b" hides the outer "b"; take another name'],
    ["a: { each: input.xs, as: a, do: {set: 1} }", '7:28 NAME_SHADOWED "a" hides the outer "a"; give this one another name with `as`'],
    [
      "a: { each: input.xs, do: { each: item, do: {set: 1} } }",
      '7:36 NAME_SHADOWED "item" hides the outer "item"; give this one another name with `as`',
    ],
    [
      'a: { compute: x, with: "${ pirce }" }\nprice: { set: 1 }',
      '7:30 REFERENCE_UNKNOWN there is nothing called "pirce" here. Did you mean "price"?',
    ],
    ['a: { set: "${ zzz }" }', '7:17 REFERENCE_UNKNOWN there is nothing called "zzz" here. Known here: a, input, values, run.'],
    [
      'a: { steps: { one: {set: 1} } }\nb: { set: "${ one }" }',
      '8:17 REFERENCE_UNKNOWN there is nothing called "one" here. The step a.one stands in a block; outside it only the block\'s output is seen.',
    ],
    ['a: { set: "${ error.code }" }', 'REFERENCE_UNKNOWN there is nothing called "error" here.'],
    ['a: { set: "${ config.x }" }', 'REFERENCE_UNKNOWN there is nothing called "config" here.'],
    ["a: { set: 1, needs: [bb] }\nb: { set: 1 }", '7:24 REFERENCE_UNKNOWN there is no step "bb" beside this one.'],
    ["a: { set: 1, needs: b }\nb: { set: 1 }", "7:23 PLAN_INVALID needs is a list of step names; write [b]"],
    [
      "a: { set: 1 }\nb: { steps: { c: { set: 1, needs: [a] } } }",
      '8:38 REFERENCE_UNKNOWN there is no step "a" beside this one. It stands outside this block: let the block need it.',
    ],
    [
      "a: { set: 1, needs: {any: [b, c], count: 3} }\nb: {set: 1}\nc: {set: 2}",
      "7:44 PLAN_INVALID count is a whole number from 1 to 2, not 3",
    ],
    [
      "a: { each: input.xs, do: { set: 1, needs: [a] } }",
      "7:45 PLAN_INVALID needs orders the named steps of one block; write it on the step that this belongs to",
    ],
  ])("%s", (text, sentence) => {
    expect(steps(text).join("\n")).toContain(sentence);
  });
});

describe("the graph", () => {
  test("a cycle is named", () => {
    expect(steps('a: { set: "${ b }" }\nb: { set: "${ c }" }\nc: { set: 1, needs: [a] }')).toEqual([
      "7:3 STEP_CYCLE these steps wait for each other: a → b → c → a (each waits for the next)",
    ]);
  });
  test("a cycle that others hang on is named without them", () => {
    expect(steps('x: { set: "${ a }" }\na: { set: "${ b }" }\nb: { set: "${ a }" }\ny: { set: "${ x }" }')).toEqual([
      "8:3 STEP_CYCLE these steps wait for each other: a → b → a (each waits for the next)",
    ]);
  });
  test("a step that refers to itself", () => {
    expect(steps('a: { set: "${ a }" }')).toEqual([
      '7:17 STEP_CYCLE the step "a" refers to itself; `last` is the value of the turn before, in a repeat',
    ]);
  });
  test("needs that a reference implies is advice", () => {
    expect(steps('a: { compute: x }\nb: { compute: y, needs: [a], with: "${ a }" }')).toEqual([
      '8:28 NEEDS_IMPLIED "a" is needed already, because b refers to it; take it out of needs',
    ]);
  });
});

describe("expressions", () => {
  test.each([
    ['a: { set: 1, when: "${ input.x }" }', "7:22 EXPRESSION_NOT_BARE when is an expression already, without ${ }; write when: input.x"],
    [
      'a: { each: "${ input.xs }", do: {set: 1} }',
      "7:14 EXPRESSION_NOT_BARE each is an expression already, without ${ }; write each: input.xs",
    ],
    [
      'a: { repeat: {set: 1}, until: "${ last }", max: 2 }',
      "7:33 EXPRESSION_NOT_BARE until is an expression already, without ${ }; write until: last",
    ],
    ['a: { set: "${ 1 + }" }', "7:21 EXPRESSION_INVALID this is not an expression: unexpected token: its end"],
    ['a: { set: "x ${ 1" }', "7:16 EXPRESSION_INVALID this ${ is never closed with }; write $${ for the two characters themselves"],
    ['a: { set: { "${x}": 1 } }', "7:15 EXPRESSION_INVALID a key is never an expression; write the key out"],
    ["a: { set: 1, when: 3 }", "7:22 PLAN_INVALID when is an expression, not 3"],
    ["a:\n  set: |\n    one\n    two ${ nope }\n", '10:14 REFERENCE_UNKNOWN there is nothing called "nope" here.'],
  ])("%s", (text, sentence) => {
    expect(steps(text).join("\n")).toContain(sentence);
  });
});

describe("secrets", () => {
  test.each([
    [
      'a: { effect: x, with: "${ env.KEY }" }',
      '7:29 SECRET_IN_PLAN there is no "env" in expressions: what they read is stored with the run; let the effect take it from a service',
    ],
    ['a: { effect: x, with: "${ secrets.key }" }', '7:29 SECRET_IN_PLAN there is no "secrets" in expressions'],
    ['a: { effect: x, with: "postgres://u:secretpw@h/db" }', "7:25 SECRET_IN_PLAN this looks like a secret"],
    ["a: { effect: x, with: { password: hunter2 } }", '7:37 SECRET_IN_PLAN "password" looks like a secret'],
  ])("%s", (text, sentence) => {
    expect(steps(text).join("\n")).toContain(sentence);
  });
  test("a reference to one is none", () => {
    expect(steps('a: { effect: x, with: { token: "${ input.card.token }", password: "${ input.p }" } }')).toEqual([]);
  });
});

test("every complaint is told, not only the first", () => {
  expect(steps('a: { compte: x }\nb: { set: "${ nope }", tiemout: 3s }\nc: { sleep: 3 }').length).toBe(4);
});

test("a file with thousands of mistakes says the first two hundred", () => {
  expect(steps(Array.from({ length: 3000 }, (_, i) => `s${i}: { sett: 1 }`).join("\n")).length).toBe(200);
});
