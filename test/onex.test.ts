/**
 * docs/onex.md has a row for each feature and each defect of the templates, each rule of execution and each field of their
 * configuration; names only files that exist; and says why where something was changed on purpose.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { elsewhere } from "../src/engine/config.ts";

const root = resolve(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/onex.md");
const lines = page.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
const rows = lines
  .filter(([, number]) => /^[DR]?\d+(-[DR]?\d+)?$/.test(number ?? ""))
  .map(([, number = "", what = "", here = "", shown = ""]) => ({ number, what, here, shown }));
const [before = "", configuration = ""] = page.split("\n## Configuration\n");
/** What the files hold whose contents the templates leave open. */
const contents = (before.split("\n## Contents\n")[1] ?? "")
  .split("\n")
  .filter((line) => /^\| [a-z]/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, number = "", what = "", here = "", shown = ""]) => ({ number, what, here, shown }));
const fields = configuration
  .split("\n")
  .filter((line) => /^\| [a-z]/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, number = "", here = "", shown = ""]) => ({ number, what: number, here, shown }));

/** "119-131" and "D21-D24" as the numbers they stand for. */
function numbers(cell: string): string[] {
  const [first = "", last = first] = cell.split("-");
  const [, mark = "", from = ""] = /^([DR]?)(\d+)$/.exec(first) ?? [];
  const to = Number(last.replace(/[DR]/, ""));
  return Array.from({ length: to - Number(from) + 1 }, (_, i) => `${mark}${Number(from) + i}`);
}
const upTo = (last: number, mark = ""): string[] => Array.from({ length: last }, (_, i) => `${mark}${i + 1}`);

test("each feature 1 to 178, each defect D1 to D92 and each rule R1 to R23 has one row", () => {
  expect(rows.flatMap(({ number }) => numbers(number))).toEqual([...upTo(178), ...upTo(92, "D"), ...upTo(23, "R")]);
});

test("each row says what, where, and names tests that exist", () => {
  expect(contents).toHaveLength(18);
  for (const { number, what, here, shown } of [...rows, ...contents, ...fields]) {
    expect(what, number).not.toBe("");
    expect(here, number).not.toBe("");
    const tests = pathsOf(shown);
    expect(tests.length, `${number}: ${shown}`).toBeGreaterThan(0);
    // What every store must do is a scenario, run by the test of each store.
    expect(
      tests.some((path) => path.endsWith(".test.ts") || path.startsWith("src/store/suite/")),
      `${number}: ${shown}`,
    ).toBe(true);
    expect(
      [...tests, ...pathsOf(here)].filter((path) => !existsSync(join(root, path))),
      number,
    ).toEqual([]);
  }
});

test("what was changed on purpose says why", () => {
  const changed = [...rows, ...contents, ...fields].filter(({ here }) => /replaced/i.test(here));
  expect(changed.length).toBeGreaterThan(20);
  for (const { number, here } of changed) expect(here, number).toMatch(/^replaced: .+, (because|so that) /);
  const rules = rows.filter(({ number, here }) => number.startsWith("R") && here.startsWith("replaced: "));
  expect(rules.map(({ number }) => number)).toEqual(["R1", "R10", "R11", "R18", "R21", "R23"]);
});

test("each rule has a test that begins with its number", () => {
  const named = [...read("src/plan/onex/rules.test.ts").matchAll(/^ {2}test\("(\d+) /gm)].map(([, number]) => `R${number}`);
  expect(named).toEqual(upTo(23, "R"));
});

test("a defect or feature that a test names is one whose row names that test", () => {
  for (const path of new Set(rows.flatMap(({ shown }) => pathsOf(shown).filter((path) => path.endsWith(".test.ts"))))) {
    const titles = [...read(path).matchAll(/^\s*test\("(D\d+(?:, D\d+)*):/gm)].flatMap(([, marks = ""]) => marks.split(", "));
    for (const mark of new Set(titles)) {
      const row = rows.find(({ number }) => numbers(number).includes(mark));
      expect(pathsOf(row?.shown ?? ""), `${mark} in ${path}`).toContain(path);
    }
  }
});

test("each field of the templates' configuration has a row, and the name that it has here", () => {
  expect(fields.map(({ number }) => number)).toEqual([
    ...["circuit_breaker_threshold", "circuit_breaker_timeout"],
    ...["workflow_config", "node_client_config", "state_config", "retry_config", "scheduler_config"],
    ...["orchestration_timeout_ms", "performance_threshold_ms", "max_concurrent_workflows"],
    ...["max_retries", "retry_delay_ms", "exponential_backoff", "backoff_multiplier", "max_retry_delay_ms"].map((name) => `retry.${name}`),
    ...["max_parallel_steps", "batch_size", "load_balancing_enabled", "step_isolation"].map((name) => `parallel.${name}`),
    ...["global_ms", "step_ms", "shutdown_ms"].map((name) => `timeout.${name}`),
    ...["failure_strategy", "dependency_resolution_enabled", "cycle_detection_enabled"],
    ...["track_actions", "max_actions_per_workflow", "domain_specific_config"],
    ...["lease.ttl", "lease.renew_margin", "environments", "checks between fields"],
  ]);
  const source = read("src/engine/config.ts");
  for (const { number, here } of fields) {
    const names = [...here.matchAll(/`config\.([\w.]+)`/g)].map(([, name = ""]) => name);
    for (const name of names) expect(source, number).toMatch(new RegExp(`readonly ${name.replace(/^.*\./, "")}\\?:`));
    // What is not declared is refused with a sentence that names its home.
    const camel = number.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (Object.hasOwn(elsewhere, camel) && !/^`config\./.test(here)) expect(here, number).toMatch(/^replaced: /);
    else if (!here.includes("src/engine/config-")) expect(names.length, number).toBeGreaterThan(0);
  }
});

function pathsOf(cell: string): string[] {
  return [...cell.matchAll(/`((?:src|test|docs|examples)\/[^`]+)`/g)].map(([, path = ""]) => path);
}
