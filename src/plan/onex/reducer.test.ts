import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import type { Json } from "../../core/json.ts";
import { workflow } from "../../node/workflow.ts";
import { testOrchestrator } from "../../testing/index.ts";
import { fence } from "../fence.ts";
import { Findings } from "../finding.ts";
import { anything } from "../json-schema.ts";
import { checkFile, onexReducer } from "../load.ts";
import { readMachine } from "./machine.ts";
import { type MachineState, step } from "./reducer.ts";

const folder = mkdtempSync(join(tmpdir(), "onex-machine-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function machineOf(text: string, findings = new Findings("door.yaml")) {
  const fenced = fence(text, findings);
  return {
    machine: fenced && readMachine(fenced, findings),
    findings: findings.sorted().map((f) => `${f.line}:${f.column} ${f.code} ${f.message}`),
  };
}
const door = `node_type: REDUCER_GENERIC
contract_version: "2.1.0"
state_transitions:
  initial_state: open
  states:
    - { state_name: open }
    - { state_name: shut }
    - { state_name: locked }
    - { state_name: gone, is_terminal: true }
  transitions:
    - { transition_name: shut, from_state: open, to_state: shut, trigger: push }
    - { transition_name: slam, from_state: open, to_state: locked, trigger: push, conditions: [{ expression: force greater_than 9 }] }
    - { transition_name: kick, from_state: open, to_state: gone, trigger: push, priority: 5, conditions: [{ expression: force > 99 }] }
    - { transition_name: break, from_state: "*", to_state: gone, trigger: break }
    - { transition_name: crack, from_state: locked, to_state: open, trigger: break, conditions: [{ expression: tool exists }] }
`;

describe("a state machine", () => {
  const { machine } = machineOf(door);
  const from = (state: string, event: Json, data = {}): MachineState => {
    if (!machine) throw new Error("refused");
    return step(machine, { state, data }, event);
  };

  test("takes its name from its file, its version from the contract", () => {
    expect(machine).toMatchObject({ name: "door", version: "2.1.0", initial: "open" });
  });
  test("a way without conditions is the last resort; higher priority goes first", () => {
    expect(from("open", { trigger: "push", data: { force: 1 } }).state).toBe("shut");
    expect(from("open", { trigger: "push", data: { force: 10 } }).state).toBe("locked");
    expect(from("open", { trigger: "push", data: { force: 100 } }).state).toBe("gone");
  });
  test("the data of earlier events is kept", () => {
    expect(from("open", { trigger: "push" }, { force: 10 })).toEqual({ state: "locked", data: { force: 10 } });
    expect(from("open", { trigger: "push", data: { force: 2 } }, { force: 10, n: 1 })).toEqual({ state: "shut", data: { force: 2, n: 1 } });
  });
  test("a way from the state itself preempts the wildcard, also when its conditions fail", () => {
    expect(from("shut", { trigger: "break" }).state).toBe("gone");
    expect(from("locked", { trigger: "break", data: { tool: "axe" } }).state).toBe("open");
    expect(() => from("locked", { trigger: "break" })).toThrow(/door is locked, and "break" needs tool exists/);
  });
  test("no way on is a failure that applies nothing, and the wildcard is no way out of a terminal state", () => {
    expect(() => from("shut", { trigger: "push" })).toThrow(/door is shut, from where "push" leads nowhere/);
    expect(() => from("gone", { trigger: "break" })).toThrow(/door is gone, which is terminal/);
    expect(() => from("open", {})).toThrow(/the event has no trigger/);
  });
  test("as a step of an ONEX contract: the trigger is in its config", () => {
    const event = { config: { trigger: "push", force: 4 }, input: { who: "me" }, before: { force: 12 } };
    expect(from("open", event)).toEqual({ state: "shut", data: { who: "me", force: 4, before: { force: 12 } } });
  });
});

test("what is wrong is told with its place, what is not run as well", () => {
  const text = `state_transitions:
  initial_state: opne
  states:
    - { state_name: open, entry_actions: [beep] }
    - { state_name: open }
    - { state_name: end, is_terminal: true }
    - { state_name: alone }
  transitions:
    - { transition_name: a, from_state: end, to_state: open, trigger: x }
    - { transition_name: a, from_state: open, to_state: nd, trigger: x, conditions: [{ expression: x likes y }] }
`;
  expect(machineOf(text).findings).toEqual([
    '2:18 REFERENCE_UNKNOWN there is no state "opne". Did you mean "open"?',
    "4:27 ONEX_IGNORED entry_actions: actions are not run: a reducer is pure; let a step after it do them",
    '5:7 ONEX_INVALID the state "open" stands here a second time',
    '9:7 ONEX_INVALID the transition "a" leaves "end", which is terminal',
    '10:7 ONEX_INVALID the transition "a" stands here a second time',
    '10:57 REFERENCE_UNKNOWN there is no state "nd". Did you mean "end"?',
    expect.stringMatching(/^10:100 ONEX_INVALID there is no operator "likes"/),
  ]);
});

const shared = fileURLToPath(new URL("../../../../shared/contracts/reducer_metrics_aggregator.yaml", import.meta.url));
if (!existsSync(shared)) console.warn(`${shared} is not there: its test is skipped`);

describe.skipIf(!existsSync(shared))("the metrics aggregator", () => {
  test("goes its whole way, guards of eight letters and more included, one machine for each key", async () => {
    const metrics = await onexReducer(shared);
    expect(metrics.contract).toMatchObject({ name: "metrics-aggregator", version: "1.1.0", kind: "reducer" });
    const flow = workflow({ name: "flow", input: anything }, function* () {
      const seen: string[] = [];
      const send = function* (trigger: string, data: Json = {}) {
        seen.push((yield* metrics({ trigger, key: "a", data })).state);
      };
      yield* send("collect_metrics", { data_sources: ["db"] });
      yield* send("collection_complete", { collected_metrics: Array.from({ length: 10 }, (_, i) => i) });
      yield* send("validation_failed", { retry_count: 2 });
      yield* send("collection_complete");
      yield* send("validation_success");
      yield* send("aggregation_success");
      return { seen, other: (yield* metrics.read("b")).state };
    });
    const t = testOrchestrator({ nodes: [flow, metrics] });
    const run = await t.start(flow, null);
    await t.advance("1s");
    expect(await run.result()).toEqual({
      seen: ["collecting", "validating", "collecting", "validating", "aggregating", "completed"],
      other: "idle",
    });
    await t.close();
  });
  test("refuses what its guards refuse", async () => {
    const metrics = await onexReducer(shared);
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* metrics({ trigger: "collect_metrics", data: { data_sources: [] } });
    });
    const t = testOrchestrator({ nodes: [flow, metrics] });
    const run = await t.start(flow, null);
    await t.advance("1s");
    await expect(run.result()).rejects.toMatchObject({ code: "ONEX_GUARD_UNMET" });
    await t.close();
  });
  test("is checked without an error: 18 things are not run", async () => {
    const findings = await checkFile(shared);
    expect(findings.length).toBe(18);
    expect(new Set(findings.map(({ level, code }) => `${level} ${code}`))).toEqual(new Set(["warning ONEX_IGNORED"]));
  });
});

test("another contract is not the contract of a reducer", async () => {
  const file = join(folder, "flow.yaml");
  writeFileSync(file, "node_type: orchestrator\n");
  await expect(onexReducer(file)).rejects.toThrow(/is not the ONEX contract of a reducer/);
});
