/** The schema for editors against the parser: what one takes the other takes, key by key. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { JsonMap } from "../cursor.ts";
import { fence } from "../fence.ts";
import { Findings } from "../finding.ts";
import { fileKeys, parsePlan } from "../parse.ts";
import { policyKeys } from "../parse-modifiers.ts";
import { belongs, verbs } from "../parse-step.ts";
import { contractSchema } from "./contract.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const { $schema: _, ...bare } = contractSchema;
const options = { strict: true, strictTypes: false, strictRequired: false, allErrors: true } as const;
/** As the editors' draft, and as the newest: G1 says that it means the same in both. */
const drafts: readonly ValidateFunction[] = [new Ajv(options).compile(contractSchema), new Ajv2020(options).compile(bare)];

function schemaTakes(data: unknown): boolean {
  const [first, second] = drafts.map((validate) => validate(data));
  expect(first, "both drafts say the same").toBe(second);
  return first === true;
}
function why(data: unknown): string {
  drafts[0]?.(data);
  return (drafts[0]?.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`).join("; ");
}
/** Mistakes of the grammar, as apart from those of what is meant: names that are not there, expressions, types. */
const ofGrammar: readonly string[] = ["PLAN_INVALID", "NAME_INVALID", "EXPRESSION_NOT_BARE"];
/** Whether the parser finds no mistake of the grammar. */
function parserTakes(data: unknown): boolean {
  const findings = new Findings("test");
  parsePlan(structuredClone(data) as JsonMap, findings);
  return !findings.all.some(({ code }) => ofGrammar.includes(code));
}

const head = { onex: "v1", kind: "workflow", name: "all", version: "1.0.0" };
const policy = { maxAttempts: 3, backoff: "linear", delay: "1s", maxDelay: "5s", factor: 2, jitter: "none", within: "1m", except: ["X"] };
/** A contract with every key of the grammar. */
const everything: JsonMap = {
  ...head,
  description: "all of it",
  labels: ["a"],
  input: { type: "object" },
  config: true,
  signals: { approval: { type: "object" } },
  values: { rate: 2 },
  timeout: "1h",
  concurrency: 4,
  defaults: { timeout: "10s", retry: policy },
  onFailure: "stop",
  steps: {
    price: { compute: "price-cart@2", with: { items: [] }, when: "input.x > 1", default: null, outcome: true, description: "d" },
    charge: {
      effect: "charge-card",
      with: { amount: 1 },
      retry: 3,
      timeout: "10s",
      keep: true,
      priority: 1,
      undo: { effect: "refund", with: "${ done.output }", retry: false },
      onError: { fail: "${ error }" },
      needs: ["price"],
    },
    stock: { reducer: "stock-level", with: { sku: "a" }, retry: policy, onError: "continue" },
    ship: { workflow: "shipping@2.1.0", with: {}, needs: { any: ["charge", "stock"], count: 1 } },
    level: { read: "stock-level", key: "a" },
    answer: { wait: "approval", timeout: "1d" },
    pause: { sleep: "${ input.until }" },
    rest: { sleep: "1.5h" },
    value: { set: { deep: [1, "${ input }"] } },
    stop: { when: false, fail: { code: "NOT_APPROVED", message: "no", details: [1] } },
    group: { steps: { inner: { set: 1 } }, output: "${ inner }" },
    choose: {
      switch: [
        { when: "input.a", set: 1 },
        { when: "input.b", set: 2 },
      ],
    },
    lines: { each: "input.lines", as: "line", do: { set: "${ line }" }, concurrency: 5, batchSize: 2, onItemError: "collect" },
    rows: { each: { effect: "read-rows", with: {}, timeout: "1m", retry: 2 }, do: { set: 1 } },
    first: { race: { paid: { wait: "approval" }, late: { sleep: "1h" } } },
    poll: { repeat: { effect: "poll" }, until: "last.done", max: 10, every: "5s" },
  },
  output: "${ value }",
};

/** Where every map of the grammar stands in `everything`. */
const places: readonly (readonly string[])[] = [
  [],
  ["defaults"],
  ["defaults", "retry"],
  ...Object.keys(everything.steps as JsonMap).map((name) => ["steps", name]),
  ["steps", "charge", "undo"],
  ["steps", "charge", "onError"],
  ["steps", "ship", "needs"],
  ["steps", "stop", "fail"],
  ["steps", "group", "steps", "inner"],
  ["steps", "choose", "switch", "1"],
  ["steps", "lines", "do"],
  ["steps", "rows", "each"],
  ["steps", "first", "race", "paid"],
  ["steps", "poll", "repeat"],
];
const named = places.map((path) => ({ path, place: path.join(".") || "the top" }));

type Loose = { [key: string]: Loose };
/** `everything`, with the map at `path` changed; of the steps only that one, and what it may need. */
function changed(path: readonly string[], change: (map: Loose) => void): Loose {
  const [, name] = path;
  const needed = { price: { set: 1 }, charge: { set: 1 }, stock: { set: 1 } };
  const own = path[0] === "steps" && name !== undefined ? { [name]: (everything.steps as JsonMap)[name] } : {};
  const copy = structuredClone({ ...everything, steps: { value: { set: 1 }, ...needed, ...own } }) as unknown as Loose;
  change(path.reduce((at, key) => at[key] as Loose, copy));
  return copy;
}
const keysAt = (path: readonly string[]): readonly string[] =>
  Object.keys(path.reduce((at, key) => at[key] as Loose, everything as unknown as Loose));

describe("the schema of a contract", () => {
  test("takes every key of the grammar", () => {
    expect(why(everything)).toBe("");
    expect(schemaTakes(everything)).toBe(true);
    const findings = new Findings("test");
    parsePlan(everything, findings);
    expect(findings.all.filter(({ code }) => code === "PLAN_INVALID")).toEqual([]);
    const used = new Set(places.flatMap(keysAt));
    expect([...fileKeys, ...policyKeys, ...verbs, ...Object.keys(belongs)].filter((key) => !used.has(key))).toEqual([]);
  });

  test("has exactly the keys of the parser", () => {
    const { properties, definitions } = contractSchema as unknown as Loose;
    const keysOf = (schema: Loose | undefined) => Object.keys(schema?.properties ?? {}).sort();
    expect(Object.keys(properties ?? {})).toEqual([...fileKeys]);
    expect(keysOf(definitions?.step)).toEqual([...verbs, ...Object.keys(belongs)].sort());
    expect(keysOf(definitions?.body)).toEqual([...verbs, ...Object.keys(belongs)].filter((key) => key !== "needs").sort());
  });

  test("says of every key what it is", () => {
    const silent: string[] = [];
    const walk = (schema: unknown, path: string): void => {
      if (typeof schema !== "object" || schema === null) return;
      const { properties } = schema as { readonly properties?: Readonly<Record<string, { readonly description?: string }>> };
      for (const [key, value] of Object.entries(properties ?? {})) if (!value.description) silent.push(`${path}.${key}`);
      for (const [key, value] of Object.entries(schema)) walk(value, `${path}.${key}`);
    };
    walk(contractSchema, "");
    expect(silent).toEqual([]);
  });

  test.each(named)("and the parser refuse each key at $place when it is mistyped", ({ path }) => {
    for (const key of keysAt(path)) {
      const wrong = changed(path, (map) => {
        map[`${key}x`] = map[key] as Loose;
        delete map[key];
      });
      expect(schemaTakes(wrong), `schema: ${path.join(".")}.${key}x`).toBe(false);
      expect(parserTakes(wrong), `parser: ${path.join(".")}.${key}x`).toBe(false);
    }
  });

  test.each(named)("and the parser say the same when a key at $place is missing", ({ path }) => {
    for (const key of keysAt(path)) {
      const without = changed(path, (map) => {
        delete map[key];
      });
      expect(schemaTakes(without), `${path.join(".")}.${key}`).toBe(parserTakes(without));
    }
  });

  const odd: readonly unknown[] = [null, true, 0, -1, 1.5, 5000000, "", "x y", "1h", "${ input }", [], [1], {}, { nope: 1 }];
  test.each(named)("and the parser say the same when a key at $place has an odd value", ({ path }) => {
    for (const key of keysAt(path))
      for (const value of odd) {
        const wrong = changed(path, (map) => {
          map[key] = value as Loose;
        });
        expect([key, value, schemaTakes(wrong)]).toEqual([key, value, parserTakes(wrong)]);
      }
  });

  test.each([...verbs])("and the parser say the same of every key beside %s", (verb) => {
    const steps = everything.steps as unknown as Loose;
    const own = Object.values(steps).find((step) => Object.hasOwn(step, verb));
    const values = Object.assign({}, ...Object.values(steps)) as Loose;
    for (const key of [...Object.keys(belongs), ...verbs]) {
      const step = { when: "input.x > 1", ...own, [key]: values[key] };
      const contract = {
        ...head,
        signals: { approval: true },
        steps: { price: { set: 1 }, charge: { set: 1 }, stock: { set: 1 }, one: step },
      };
      expect([verb, key, schemaTakes(contract)]).toEqual([verb, key, parserTakes(contract)]);
    }
  });
});

describe("real contracts", () => {
  const yaml = (folder: string) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => name.endsWith(".yaml"))
          .map((name) => join(folder, name))
      : [];
  const right = [...yaml(join(root, "test/check/right")), ...yaml(join(root, "src/plan/fixtures"))].filter((file) =>
    // Schemas and contracts of ONEX have a grammar of their own.
    /^onex: v1$/m.test(readFileSync(file, "utf8")),
  );
  const shared = yaml(join(root, "../shared/api/yaml"));

  test.each(right)("%s fits", (file) => {
    expect(why(parse(readFileSync(file, "utf8")))).toBe("");
  });

  test.skipIf(shared.length === 0)("of the shared examples fit", () => {
    for (const file of shared) expect(why(parse(readFileSync(file, "utf8"))), file).toBe("");
  });

  test("in the guide fit", () => {
    const pages = ["guide.md", ...readdirSync(join(root, "docs/guide")).map((name) => `guide/${name}`)];
    const blocks = pages.flatMap((page) =>
      [...readFileSync(join(root, "docs", page), "utf8").matchAll(/^```yaml\n(onex: v1\n[\s\S]*?)^```$/gm)].map(([, block = ""]) => block),
    );
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect(why(parse(block)), block).toBe("");
  });

  test.each(yaml(join(root, "test/check/wrong")))("%s is refused where the grammar is broken", (file) => {
    const findings = new Findings(file);
    const data = fence(readFileSync(file, "utf8"), findings)?.data;
    if (data === undefined || parserTakes(data)) return;
    if (!beyond(findings, data)) expect(schemaTakes(data)).toBe(false);
  });
});

/** What a schema cannot say: which of a list's items must be last, names of other keys. Known by the parser's words. */
function beyond(findings: Findings, data: unknown): boolean {
  parsePlan(structuredClone(data) as JsonMap, findings);
  const said = findings.all.filter(({ code }) => code === "PLAN_INVALID");
  return said.every(({ message }) => /must be the last one|from 1 to \d+, not/.test(message));
}
