/** Order, times and undo plans of small flows; that undo plans are true is shown in test/properties/outlook.test.ts. */
import { expect, test } from "vitest";
import { z } from "zod";
import { effect } from "../../node/effect.ts";
import { Registry } from "../../node/registry.ts";
import { workflow } from "../../node/workflow.ts";
import { Findings } from "../finding.ts";
import { parsePlan } from "../parse.ts";
import { sayMs } from "../timing.ts";
import { type Outlook, outlookJson, outlookOf } from "./outlook.ts";
import { spotsIn } from "./spot.ts";
import { wavesOf } from "./waves.ts";

const any = z.any();
const back = effect({ name: "back", input: any, idempotent: true, irreversible: "an undo" }, async () => null);
const act = effect({ name: "act", input: any, timeout: "10s", idempotent: true, undo: () => back({}) }, async () => null);
const once = effect({ name: "once", input: any, irreversible: "a letter" }, async () => null);
const look = effect(
  { name: "look", input: any, readonly: true, retry: { maxAttempts: 10, delay: "10s", backoff: "fixed", within: "1m" } },
  async () => null,
);
const child = workflow({ name: "child", input: any, timeout: "2m" }, function* () {
  return yield* act({});
});
const nodes = new Registry([back, act, once, look, child]);

function outlook(steps: object, rest: object = {}, known: Registry | undefined = nodes): Outlook {
  const findings = new Findings("plan");
  const flow = parsePlan(
    { onex: "v1", kind: "workflow", name: "flow", version: "1.0.0", timeout: "1h", signals: { go: true }, steps, ...rest } as never,
    findings,
  );
  if (!flow) throw new Error(JSON.stringify(findings.all));
  return outlookOf(flow, known);
}
const mostOf = (steps: object, rest?: object) => sayMs(outlook(steps, rest).longest.mostMs);
/** "a: [run] b?, c" for each likely failure. */
function undone(steps: object, rest: object = {}): string[] {
  return outlook(steps, rest)
    .undo.filter(({ likely }) => likely)
    .map(({ spot, cause, undone: scopes, stays }) => {
      const said = scopes.map(
        ({ of, taken }) =>
          `[${of}] ${taken.map(({ spot: each, only, way }) => `${each.path}${only ? ` ${only}` : ""}${way === "node" ? "" : ` ${way}`}`).join(", ")}`,
      );
      return `${spot.path}${cause === "fails" ? "" : ` ${cause}`}: ${said.join("; ")}${stays ? ` | ${stays.how} of ${stays.spot.path}` : ""}`;
    });
}

test("steps that wait for the same begin together", () => {
  const { run } = outlook({
    a: { set: 1 },
    b: { set: 2 },
    c: { set: "${ a + b }" },
    d: { set: 4, needs: { any: ["a", "c"] } },
    e: { set: 5 },
  });
  expect(wavesOf(run).map((wave) => wave.map(({ name }) => name))).toEqual([["a", "b", "e"], ["c"], ["d"]]);
});

test("ids are those of the log", () => {
  const { run } = outlook({
    g: { steps: { a: { effect: "act" } } },
    s: { switch: [{ when: "true", effect: "act" }, { steps: { b: { effect: "act" } } }] },
    e: { each: "[1]", do: { effect: "act", onError: { effect: "look" } } },
    r: { race: { x: { effect: "act" }, y: { steps: { c: { effect: "act" } } }, z: { steps: { d: { effect: "act" } }, timeout: "1s" } } },
    t: { repeat: { effect: "act" }, until: "true", max: 2 },
    w: { wait: "go", timeout: "1m" },
  });
  const leaves = [...spotsIn(run)].filter(({ inner }) => inner.length === 0).map(({ path }) => path);
  expect(leaves).toEqual(["g/a", "s", "s/b", "e/*/act", "e/*~error", "r/x/act", "r/y/c", "r/z/steps/d", "t/*/act", "w/go"]);
});

test("the longest way counts attempts, backoffs and timeouts", () => {
  expect(mostOf({ a: { effect: "act" } })).toBe("33s");
  expect(mostOf({ a: { effect: "act", retry: false, timeout: "5s" } })).toBe("5s");
  expect(mostOf({ a: { effect: "once" } }, { defaults: { timeout: "7s" } })).toBe("7s");
  // An attempt may begin at the end of the budget.
  expect(mostOf({ a: { effect: "look" } })).toBe("1m 30s");
  expect(mostOf({ a: { workflow: "child" } })).toBe("2m");
  expect(mostOf({ a: { workflow: "child", timeout: "1m", retry: { maxAttempts: 2, delay: "5s" } } })).toBe("2m 5s");
  expect(mostOf({ a: { wait: "go", timeout: "3m" }, b: { sleep: "1m", needs: ["a"] }, c: { sleep: "2m" } })).toBe("4m");
  expect(mostOf({ a: { race: { go: { wait: "go" }, late: { sleep: "1d" } } } })).toBe("1d");
  expect(mostOf({ a: { repeat: { sleep: "10s" }, until: "true", max: 3, every: "1s" } })).toBe("32s");
  expect(mostOf({ a: { switch: [{ when: "true", sleep: "1s" }, { sleep: "2s" }] } })).toBe("2s");
  expect(mostOf({ a: { steps: { b: { sleep: "1h" } }, timeout: "1m" } })).toBe("1m");
  expect(mostOf({ a: { sleep: "1m", onError: { sleep: "1s" } } })).toBe("1m 1s");
});

test("what has no end is named, and what nobody gave is not guessed", () => {
  const { longest } = outlook({ a: { wait: "go" }, b: { each: "[1]", do: { effect: "act" } }, c: { sleep: "1m" } });
  expect(longest.mostMs).toBe(Number.POSITIVE_INFINITY);
  expect(longest.leastMs).toBe(60_000);
  expect(longest.endless.map(({ spot, why }) => `${spot.path} ${why}`)).toEqual([
    "a wait go: it waits until the signal comes",
    "b each of [1]: how many items there are is known when it runs: up to 33s for each item, 10 at once",
  ]);
  const blind = outlook({ a: { effect: "act" }, b: { effect: "act", timeout: "1s", retry: 2 } }, {}, new Registry([]));
  expect(blind.unknown).toEqual(["act"]);
  expect(blind.longest.endless).toMatchObject([{ unknown: true }]);
  expect(blind.undo[1]?.undone[0]?.taken[0]).toMatchObject({ way: "unknown", only: "unknown" });
});

test("a chain is taken back newest first; what cannot be is named", () => {
  const chain = {
    a: { effect: "act" },
    b: { effect: "once", needs: ["a"] },
    c: { workflow: "child", needs: ["b"] },
    d: { effect: "act", needs: ["c"] },
  };
  expect(undone(chain)).toEqual([
    "a: [run] a unknown",
    "b: [run] b unknown irreversible, a",
    "c: [run] b irreversible, a",
    "d: [run] d unknown, c child, b irreversible, a",
  ]);
  expect(undone({ ...chain, d: { fail: { code: "NO" }, needs: ["c"] } }, { onFailure: "stop" }).at(-1)).toBe("d: ");
});

test("what runs beside a failure is taken back if it has completed", () => {
  expect(undone({ a: { effect: "act" }, b: { effect: "act" }, c: { effect: "act", needs: ["a", "b"] } })).toEqual([
    "a: [run] b completed, a unknown",
    "b: [run] b unknown, a completed",
    "c: [run] c unknown, b, a",
  ]);
});

test("a group takes back its own, and an onError keeps the failure inside", () => {
  const group = { a: { effect: "act" }, g: { steps: { b: { effect: "act" }, c: { fail: { code: "NO" }, needs: ["b"] } }, needs: ["a"] } };
  expect(undone(group).at(-1)).toBe("g/c: [group] g/b; [run] a");
  expect(undone({ ...group, g: { ...group.g, onError: "continue" } }).at(-1)).toBe("g/c: [group] g/b | continue of g");
  expect(undone({ ...group, g: { ...group.g, onError: { fail: { code: "NO" } } } }).slice(-2)).toEqual([
    "g/c: [group] g/b | body of g",
    "g~error: [run] a",
  ]);
});

test("a step that only an any needs fails for those that need it; too few of them fail that one", () => {
  const any = { a: { effect: "act" }, b: { effect: "act" }, c: { effect: "act", needs: { any: ["a", "b"] } } };
  expect(undone({ ...any, z: { set: 1, needs: ["c"] } })).toEqual([
    "a:  | judged of a",
    "b:  | judged of b",
    "c needs: [run] b completed, a completed",
    "c: [run] c unknown, b completed, a completed",
  ]);
});

test("losers of a race keep what is marked so, and items fall one by one", () => {
  const race = { r: { race: { x: { effect: "act" }, y: { effect: "act", keep: true } } } };
  expect(undone(race)).toEqual([
    "r/x/act: [branch] r/x/act unknown; [run] r/y/act completed",
    "r/y/act: [branch] r/y/act unknown; [losers] r/x/act completed",
  ]);
  expect(undone({ e: { each: "[1]", do: { effect: "act" } } })).toEqual(["e/*/act: [item] e/*/act unknown; [run] e/*/act completed"]);
  expect(undone({ e: { each: "[1]", do: { effect: "act" }, onItemError: "collect" } })).toEqual([
    "e/*/act: [item] e/*/act unknown | collect of e/*/act",
  ]);
});

test("the plan for programs is JSON", () => {
  const json = outlookJson(outlook({ a: { effect: "act" }, b: { wait: "go", needs: ["a"] } }));
  expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  expect(json).toMatchObject({
    name: "flow",
    onFailure: "compensate",
    waves: [[{ step: "a", does: "effect act", mostMs: 33_000 }], [{ step: "b", after: ["a"], mostMs: null }]],
    time: { mostMs: null, timeoutMs: 3_600_000, endless: [{ step: "b" }] },
    undo: [{ step: "a", ends: "run", scopes: [{ scope: "", of: "run", undone: [{ step: "a", way: "node", only: "unknown" }] }] }],
  });
});
