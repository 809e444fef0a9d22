/**
 * Whatever stands in a file, the checker answers with findings, each with a place inside the text, twice the same.
 * `ONEX_RANDOM_RUNS` asks for more contracts than 2,000, `ONEX_RANDOM_SEED` for others.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OnexError } from "../../src/core/failure.ts";
import { Registry } from "../../src/node/registry.ts";
import { checkFlow } from "../../src/plan/check.ts";
import { type Finding, Findings } from "../../src/plan/finding.ts";
import { readText } from "../../src/plan/workflow.ts";
import * as nodes from "./nodes.ts";
import { junk, shaped, slipped } from "./random.ts";
import * as shop from "./shop-nodes.ts";

const runs = Number(process.env.ONEX_RANDOM_RUNS ?? 2000);
const seed = Number(process.env.ONEX_RANDOM_SEED ?? 20_260_727);
const registry = new Registry([...Object.values(nodes), ...Object.values(shop)]);
const known = new Set(
  [...readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8").matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code),
);

function findingsOf(text: string): readonly Finding[] {
  const findings = new Findings("random.yaml");
  try {
    const read = readText(text, findings, () => undefined);
    if (read && !findings.failed) checkFlow(read, registry, findings);
  } catch (error) {
    // Only what says itself what is wrong may be thrown.
    if (!(error instanceof OnexError) || !known.has(error.code)) throw error;
  }
  return findings.sorted();
}

function holds(text: string): void {
  const findings = findingsOf(text);
  const lines = text.split("\n");
  for (const { code, line, column, message } of findings) {
    expect(known, `${code} stands in docs/errors.md`).toContain(code);
    expect(message).not.toBe("");
    const row = lines[line - 1];
    if (row === undefined || column < 1 || column > row.length + 1)
      expect.fail(`${code} ${line}:${column} lies outside the text: ${message}`);
  }
  expect(findingsOf(text)).toEqual(findings);
}

function contracts(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => readFileSync(join(folder, name), "utf8"));
}

describe(`${runs} random contracts (seed ${seed})`, () => {
  const check = (texts: fc.Arbitrary<string>, share: number): void =>
    fc.assert(fc.property(texts, holds), { seed, numRuns: Math.ceil(runs * share), endOnFailure: true });

  test("shaped like the grammar", () => check(shaped, 0.4));
  test("real ones with slips", () => {
    const own = ["right", "wrong"].flatMap((folder) => contracts(join(import.meta.dirname, folder)));
    // Those of ONEX, where they are.
    const others = contracts(new URL("../../../shared/contracts/", import.meta.url).pathname);
    check(slipped([...own, ...others]), 0.4);
  });
  test("text that nobody meant as one", () => check(junk, 0.2));
});
