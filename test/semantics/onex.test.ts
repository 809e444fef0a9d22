/** Contracts of ONEX as they run: waves, modes, conditions, strategies. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type AnyNode, effect, Fatal, type Json, loadWorkflow, stream } from "../../src/index.ts";
import { parseWorkflow } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { aggregate, enrich, fetchRaw, notify, persist, quality, validate } from "../onex/nodes.ts";
import { Gate, quiet } from "./kit.ts";
import { contract, node, runContract } from "./onex-kit.ts";

const shared = fileURLToPath(new URL("../../../shared/contracts/", import.meta.url));
const there = existsSync(shared);
if (!there) console.warn(`${shared} is not there: what runs its contracts is skipped`);

describe.skipIf(!there)("the data pipeline", () => {
  test("runs its five waves, each after the one before, in the order of declaration", async () => {
    const flow = await loadWorkflow(`${shared}orchestrator_data_pipeline.yaml`);
    const t = testOrchestrator({ nodes: [flow, fetchRaw, validate, enrich, aggregate, quality, persist, notify] });
    const run = await t.start(flow, {});
    await t.advance("1m");
    expect(await run.result()).toEqual({
      steps: {
        fetch_raw_data: {
          records: [
            { id: "a", amount: 2 },
            { id: "b", amount: 3 },
          ],
        },
        validate_schema: { valid: true },
        enrich_data: {
          records: [
            { id: "a", amount: 4 },
            { id: "b", amount: 6 },
          ],
        },
        aggregate_metrics: { total: 10 },
        quality_check: { good: true },
        persist_results: { table: "processed_data" },
        send_notification: { sent: "pipeline_completion" },
      },
      skipped: [],
      errors: [],
    });
    const facts = (await run.facts()).flatMap((fact) => ("step" in fact ? [`${fact.type} ${fact.step}`] : []));
    expect(facts).toEqual([
      "action.dispatched fetch_raw_data",
      "action.completed fetch_raw_data",
      "compute.completed validate_schema",
      "compute.completed enrich_data",
      "reducer.applied aggregate_metrics",
      "compute.completed quality_check",
      "action.dispatched persist_results",
      "action.dispatched send_notification",
      "action.completed persist_results",
      "action.completed send_notification",
    ]);
    await t.close();
  });
});

const ok = (steps: object, more: object = {}) => ({ steps, skipped: [], errors: [], ...more });

describe("modes", () => {
  const diamond = [node("a"), node("b", ["a"]), node("c"), node("d", ["b", "c"])].join(", ");
  const names = ["a", "b", "c", "d"];
  const dispatched = (facts: readonly string[]) =>
    facts.filter((fact) => /^action\.(dispatched|completed)/.test(fact)).map((fact) => fact.slice(7));

  test("sequential: one after the other, wave by wave, so c comes before b", async () => {
    const { output, facts } = await runContract(contract(diamond, "", "execution_mode: sequential"), names);
    expect(dispatched(facts)).toEqual(["a", "c", "b", "d"].flatMap((name) => [`dispatched ${name}`, `completed ${name}`]));
    expect(output).toEqual(ok({ a: "a", b: "b", c: "c", d: "d" }));
  });

  test("parallel: all of a wave at once, and settled before the next one begins", async () => {
    const { facts } = await runContract(contract(diamond, "", "execution_mode: parallel"), names);
    expect(dispatched(facts)).toEqual([
      ...["dispatched a", "dispatched c", "completed a", "completed c"],
      ...["dispatched b", "completed b", "dispatched d", "completed d"],
    ]);
  });

  test("parallel: at most max_parallel_steps at once; the lower priority number goes first, then the declaration", async () => {
    const nodes = [node("a"), node("b"), node("c"), node("d", [], "priority: 1")].join(", ");
    const { log, facts } = await runContract(contract(nodes, "max_parallel_steps: 2", "execution_mode: parallel"), names);
    expect(log).toEqual(["a", "b", "d", "c"]);
    expect(dispatched(facts).slice(0, 3)).toEqual(["dispatched a", "dispatched b", "completed a"]);
  });

  test("batch: chunks of a wave, each after the one before", async () => {
    const nodes = ["a", "b", "c", "d", "e"].map((name) => node(name)).join(", ");
    const { facts } = await runContract(contract(nodes, "batch_size: 2", "execution_mode: batch"), ["a", "b", "c", "d", "e"]);
    expect(dispatched(facts)).toEqual([
      ...["dispatched a", "dispatched b", "completed a", "completed b"],
      ...["dispatched c", "dispatched d", "completed c", "completed d"],
      ...["dispatched e", "completed e"],
    ]);
  });

  test("streaming: a step takes the items of a stream one by one, before the stream ends", async () => {
    const gate = new Gate();
    const log: string[] = [];
    const rows = stream({ name: "rows", input: z.any(), item: z.object({ n: z.number() }) }, async function* (given: Json, { taken }) {
      expect(given).toEqual({ config: { table: "t" }, input: {}, first: "first" });
      for (let n = taken; n < 3; n++) {
        if (n === 2) await gate.pass();
        log.push(`give ${n}`);
        yield { n };
      }
    });
    const load = effect({ name: "load", input: z.object({ rows: z.object({ n: z.number() }) }), readonly: true }, async (given) => {
      log.push(`take ${given.rows.n}`);
      return given.rows.n * 10;
    });
    const plain = (name: string) => effect({ name, input: z.any(), readonly: true }, async () => name);
    const nodes = [
      node("first"),
      node("rows", ["first"], "stream: true, step_config: { table: t }"),
      node("load", ["rows"]),
      node("after", ["load"]),
    ].join(", ");
    const flow = parseWorkflow(contract(nodes, "", "execution_mode: streaming"), "flow.yaml");
    const t = testOrchestrator({ nodes: [flow, rows, load, plain("first"), plain("after")] as readonly AnyNode[], log: quiet });
    const run = await t.start(flow, {});
    await t.advance("1s");
    expect(log).toEqual(expect.arrayContaining(["take 0", "take 1"]));
    expect(log).not.toContain("give 2");
    expect((await run.status()).status).toBe("running");
    gate.open();
    await t.advance("1s");
    expect(await run.result()).toEqual(ok({ first: "first", rows: null, load: [0, 10, 20], after: "after" }));
    await t.close();
  });

  test("streaming: what fails the stream fails the step that takes it", async () => {
    const rows = stream({ name: "rows", input: z.any(), item: z.number() }, async function* () {
      yield 1;
      throw new Fatal("NO_TABLE");
    });
    const load = effect({ name: "load", input: z.any(), readonly: true }, async () => 0);
    const nodes = [node("rows", [], "stream: true"), node("load", ["rows"], "error_action: continue"), node("after", ["load"])].join(", ");
    const flow = parseWorkflow(contract(nodes, "", "execution_mode: streaming"), "flow.yaml");
    const t = testOrchestrator({
      nodes: [flow, rows, load, effect({ name: "after", input: z.any(), readonly: true }, async () => 1)] as readonly AnyNode[],
      log: quiet,
    });
    const run = await t.start(flow, {});
    await t.advance("1m");
    expect(await run.result()).toMatchObject({
      errors: [
        { step: "load", code: "NO_TABLE" },
        { step: "after", code: "DEPENDENCY_FAILED" },
      ],
    });
    await t.close();
  });

  test("streaming: a stream that nobody can take is refused, at its step", async () => {
    await expect(runContract(contract(node("a", [], "stream: true"), "", "execution_mode: streaming"), ["a"])).rejects.toThrow(
      /contract\.yaml:7:\d+ ONEX_UNSUPPORTED the stream "a": no step depends on it/,
    );
  });

  test("a node is given its config, the run's input and what it depends on", async () => {
    const nodes = `${node("a-x")}, { node_id: b, node_type: compute, target_node_type: pure, depends_on: [a-x], step_config: { handler: pure, mode: 1 }, metadata: { deep: { n: "\${ not ours }" }, timeout_ms: 5 } }`;
    const { output } = await runContract(contract(nodes), ["a-x"], {}, { order: 7 });
    expect(output).toEqual(ok({ a_x: "a-x", b: { config: { mode: 1, deep: { n: "${ not ours }" } }, input: { order: 7 }, a_x: "a-x" } }));
  });
});

test("a run goes on after a crash, from its stored plan", async () => {
  const flow = parseWorkflow(
    contract(
      `${node("a")}, ${node("b", ["a"], "error_action: continue")}, ${node("c", ["a"])}, ${node("d", ["b", "c"])}`,
      "",
      "execution_mode: parallel",
    ),
    "flow.yaml",
  );
  const calls: string[] = [];
  const gate = new Gate();
  const nodes = ["a", "b", "c", "d"].map((name) =>
    effect({ name, input: z.any(), idempotent: true, irreversible: "test" }, async () => {
      calls.push(name);
      if (name === "c") await gate.pass();
      if (name === "b") throw new Fatal("BROKEN");
      return name;
    }),
  );
  const t = testOrchestrator({ nodes: [flow, ...nodes] as readonly AnyNode[], log: quiet });
  const run = await t.start(flow, {} as never, { runId: "r" });
  await t.advance("1s");
  expect(calls).toEqual(["a", "b", "c"]);
  await t.crash();
  gate.open();
  await t.advance("1m");
  expect(await t.run("r").result()).toMatchObject({
    steps: { a: "a", b: null, c: "c", d: null },
    errors: [{ step: "b" }, { step: "d", code: "DEPENDENCY_FAILED" }],
  });
  expect(calls).toEqual(["a", "b", "c", "c"]);
  expect(run.runId).toBe("r");
  await t.close();
});

describe("branch conditions", () => {
  const mode = "execution_mode: conditional";
  const run = (condition: string, does: Parameters<typeof runContract>[2], rules = "") =>
    runContract(
      contract(`${node("a")}, ${node("b", ["a"], `branch_condition: ${condition}`)}, ${node("c", ["b"])}`, rules, mode),
      ["a", "b", "c"],
      does,
    );

  test.each([
    ["if_true", true, true],
    ["if_true", false, false],
    ["if_true", "true", false],
    ["if_false", false, true],
    ["if_false", true, false],
    ["if_false", null, false],
    ["{ type: if_true, field: seen.good }", { seen: { good: true } }, true],
    ["{ type: if_true, field: seen.good }", { seen: {} }, false],
    ["{ type: if_true, step: a }", true, true],
    ["IF_SUCCESS", "anything", true],
    ["if_error", "anything", false],
    ["if_timeout", "anything", false],
    ['"a.ok && a.value.n > 2"', { n: 3 }, true],
    ['{ type: custom, expression: "a.ok && a.value.n > 2" }', { n: 1 }, false],
    ['{ expression: "has(input.fast)" }', 1, false],
  ])("%s after %j", async (condition, gives, taken) => {
    const { output, log } = await run(condition, { a: { gives } });
    expect(log).toEqual(taken ? ["a", "b", "c"] : ["a", "c"]);
    expect(output).toEqual({ steps: { a: gives, b: taken ? "b" : null, c: "c" }, skipped: taken ? [] : ["b"], errors: [] });
  });

  test("if_error survives the failure that it handles, and the output says so", async () => {
    const { output, log } = await run("if_error", { a: { fails: "BROKEN" } });
    expect(log).toEqual(["a", "b", "c"]);
    expect(output).toEqual({ steps: { a: null, b: "b", c: "c" }, skipped: [], errors: [{ step: "a", code: "BROKEN", message: "BROKEN" }] });
  });

  test("if_timeout is taken after a timeout, and not after another failure", async () => {
    const branch = async (does: Parameters<typeof runContract>[2]) =>
      (await run("if_timeout", does, "step_timeout_ms: 1000, max_retries: 0")).log;
    expect(await branch({ a: "hangs" })).toEqual(["a", "b", "c", "undo a"]);
    expect(await branch({ a: { fails: "BROKEN" } })).toEqual(["a", "c"]);
  });

  test("a step waits for what its condition reads, also when it does not depend on it", async () => {
    const nodes = [node("b", [], 'branch_condition: { expression: "a.value == 1 && other.ok" }'), node("a"), node("other", ["a"])].join(
      ", ",
    );
    const { output, log } = await runContract(contract(nodes, "", mode), ["a", "b", "other"], { a: { gives: 1 } });
    expect(log).toEqual(["a", "other", "b"]);
    expect(output).toEqual({ steps: { b: "b", a: 1, other: "other" }, skipped: [], errors: [] });
  });

  test("if_success and if_error part the ways", async () => {
    const nodes = [node("a"), node("good", ["a"], "condition: if_success"), node("bad", ["a"], "condition: if_error")].join(", ");
    const both = async (does: Parameters<typeof runContract>[2]) =>
      (await runContract(contract(nodes, "", mode), ["a", "good", "bad"], does)).log;
    expect(await both({})).toEqual(["a", "good"]);
    expect(await both({ a: { fails: "BROKEN" } })).toEqual(["a", "bad"]);
  });
});

describe("failures", () => {
  const parallel = "execution_mode: parallel";
  const nodes = [node("a"), node("b"), node("c", ["a"]), node("d", ["b"])].join(", ");
  const names = ["a", "b", "c", "d"];
  const run = (strategy: string, does: Parameters<typeof runContract>[2], graph = nodes) =>
    runContract(contract(graph, `failure_recovery_strategy: ${strategy}`, parallel), names, does);

  test.each(["fail_fast", "FAIL_FAST", "abort", "none"])(
    "%s: the run fails, nothing else begins, and nothing is taken back",
    async (strategy) => {
      const { failed, step, log, notUndone } = await run(strategy, { b: { fails: "BROKEN" } });
      expect({ failed, step, log, notUndone }).toEqual({ failed: "BROKEN", step: "b", log: ["a", "b"], notUndone: ["a"] });
    },
  );

  test.each(["compensate", "ROLLBACK"])("%s: what was done is taken back", async (strategy) => {
    const { failed, log } = await run(strategy, { d: { fails: "BROKEN" } });
    expect(failed).toBe("BROKEN");
    expect(log).toEqual(["a", "b", "c", "d", "undo c", "undo b", "undo a"]);
  });

  test("retry: so many times more, after exact waits, then all is taken back", async () => {
    const graph = `${node("a")}, ${node("b", ["a"])}`;
    const retrying = (times: number) =>
      runContract(
        contract(graph, "failure_recovery_strategy: retry, max_retries: 2, retry_backoff_ms: 1000, retry_backoff_multiplier: 3"),
        ["a", "b"],
        {
          b: { fails: "FLAKY", times },
        },
      );
    expect((await retrying(2)).log).toEqual(["a", "b", "b", "b"]);
    const last = await retrying(3);
    expect(last.failed).toBe("FLAKY");
    expect(last.log.slice(0, 4)).toEqual(["a", "b", "b", "b"]);
    expect(last.log).toContain("undo a");
  });

  test.each(["continue", "continue_on_error"])(
    "%s: the others go on, what depends on it has failed, the output lists both",
    async (strategy) => {
      const { output, log } = await run(strategy, { a: { fails: "BROKEN" } });
      expect(log).toEqual(["a", "b", "d"]);
      expect(output).toEqual({
        steps: { a: null, b: "b", c: null, d: "d" },
        skipped: [],
        errors: [
          { step: "a", code: "BROKEN", message: "BROKEN" },
          { step: "c", code: "DEPENDENCY_FAILED", message: "not all of a completed" },
        ],
      });
    },
  );

  test("a step's error_action beats the strategy", async () => {
    const going = await run(
      "fail_fast",
      { a: { fails: "BROKEN" } },
      [node("a", [], "error_action: continue"), node("b"), node("d", ["b"])].join(", "),
    );
    expect(going.output).toEqual({
      steps: { a: null, b: "b", d: "d" },
      skipped: [],
      errors: [{ step: "a", code: "BROKEN", message: "BROKEN" }],
    });
    const stopped = await run(
      "continue",
      { a: { fails: "BROKEN" } },
      [node("a", [], "error_action: stop"), node("b"), node("d", ["b"])].join(", "),
    );
    expect(stopped).toMatchObject({ failed: "BROKEN", notUndone: ["b"], log: ["a", "b"] });
    const undone = await run(
      "continue",
      { d: { fails: "BROKEN" } },
      [node("a"), node("b"), node("d", ["b"], "error_action: compensate")].join(", "),
    );
    expect(undone).toMatchObject({ failed: "BROKEN", log: ["a", "b", "d", "undo b", "undo a"] });
    const tried = await run("fail_fast", { a: { fails: "FLAKY", times: 1 } }, node("a", [], "error_action: retry, retry_count: 1"));
    expect(tried).toMatchObject({ output: ok({ a: "a" }), log: ["a", "a"] });
  });

  test("one run does not both stop and take back", async () => {
    const graph = `${node("a", [], "error_action: compensate")}, ${node("b")}`;
    await expect(run("fail_fast", {}, graph)).rejects.toThrow(
      /ONEX_UNSUPPORTED the step "a" would have all taken back, and failure_recovery_strategy/,
    );
  });

  test("skip_on_failure skips after an earlier failure, and fails when its own dependency did", async () => {
    const graph = [node("a"), node("b"), node("c", ["b"], "skip_on_failure: true"), node("d", ["a"], "skip_on_failure: true")].join(", ");
    const { output, log } = await run("continue", { a: { fails: "BROKEN" } }, graph);
    expect(log).toEqual(["a", "b"]);
    expect(output).toMatchObject({ skipped: ["c"], errors: [{ step: "a" }, { step: "d", code: "DEPENDENCY_FAILED" }] });
    expect((await run("continue", {}, graph)).log).toEqual(["a", "b", "c", "d"]);
  });

  test("a run that asks for more completed steps than it has fails in the end", async () => {
    const rules = (more: string) => contract(nodes, `failure_recovery_strategy: continue, ${more}`, parallel);
    const does = { d: { fails: "BROKEN" } };
    expect(await runContract(rules("min_required_steps_completion_percent: 75.0"), names, does)).toMatchObject({
      output: { errors: [{ step: "d" }] },
    });
    expect(await runContract(rules("min_required_steps_completion_percent: 80"), names, does)).toMatchObject({ failed: "ONEX_INCOMPLETE" });
    expect(await runContract(rules("allow_partial_completion: false"), names, does)).toMatchObject({ failed: "ONEX_INCOMPLETE" });
    expect(await runContract(rules("allow_partial_completion: false"), names)).toMatchObject({ output: { errors: [] } });
  });
});
