/** What the tests of ONEX contracts share: a contract from its steps, effects by name, and the order of what they did. */
import { z } from "zod";
import { type AnyNode, compute, effect, Fatal, type Json } from "../../src/index.ts";
import { parseWorkflow } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { Gate, quiet } from "./kit.ts";

/** What an effect does: gives this, fails with this code, hangs, or waits for the test. */
export type Does = { readonly gives: Json } | { readonly fails: string; readonly times?: number } | "hangs" | Gate;

export interface Outcome {
  readonly output?: unknown;
  readonly failed?: string;
  readonly step?: string | undefined;
  readonly notUndone?: readonly string[];
  /** What the effects did, in order: `a` for a call, `undo a` for its undo. */
  readonly log: readonly string[];
  readonly facts: readonly string[];
  readonly inputs: ReadonlyMap<string, Json>;
}

/** A contract of these nodes and rules (YAML in flow style). */
export function contract(nodes: string, rules = "", metadata = ""): string {
  return `node_type: ORCHESTRATOR_GENERIC
contract_version: "1.0.0"
workflow_coordination:
  workflow_definition:
    workflow_metadata: { workflow_name: test_flow, ${metadata} }
    execution_graph:
      nodes: [${nodes}]
    coordination_rules: { ${rules} }
`;
}

/** Runs the contract with an effect for each name of `does`, and one that gives its own name for each of `plain`. */
export async function runContract(
  text: string,
  plain: readonly string[],
  does: Readonly<Record<string, Does>> = {},
  input: Json = {},
): Promise<Outcome> {
  const log: string[] = [];
  const inputs = new Map<string, Json>();
  const left = new Map<string, number>();
  const back = effect({ name: "back", input: z.string(), idempotent: true, irreversible: "an undo" }, async (id) => {
    log.push(`undo ${id}`);
    return null;
  });
  const act = (name: string, how: Does) =>
    effect({ name, input: z.any(), idempotent: true, undo: () => back(name) }, async (given: Json, { signal }) => {
      log.push(name);
      inputs.set(name, given);
      if (how === "hangs") return await new Promise<Json>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      if (how instanceof Gate) {
        await how.pass();
        return name;
      }
      if ("gives" in how) return how.gives;
      const times = left.get(name) ?? how.times ?? Number.POSITIVE_INFINITY;
      left.set(name, times - 1);
      if (times <= 0) return name;
      if (how.times === undefined) throw new Fatal(how.fails);
      throw Object.assign(new Error(how.fails), { code: how.fails });
    });
  const nodes: AnyNode[] = [
    ...plain.filter((name) => does[name] === undefined).map((name) => act(name, { gives: name })),
    ...Object.entries(does).map(([name, how]) => act(name, how)),
    compute({ name: "pure", input: z.any() }, (given: Json) => given),
    back,
  ];
  const flow = parseWorkflow(text, "contract.yaml");
  const t = testOrchestrator({ nodes: [flow, ...nodes] as readonly AnyNode[], log: quiet });
  const run = await t.start(flow, input as never);
  await t.advance("2h");
  const facts = (await run.facts()).map((fact) => ("step" in fact ? `${fact.type} ${fact.step}` : fact.type));
  const ended = await run.result().then(
    (output) => ({ output }),
    (error: { code: string; step?: string; notUndone?: readonly string[] }) => ({
      failed: error.code,
      step: error.step,
      notUndone: error.notUndone ?? [],
    }),
  );
  await t.close();
  return { ...ended, log, facts, inputs };
}

/** A node of a graph: an effect of its own name. */
export function node(id: string, dependsOn: readonly string[] = [], more = ""): string {
  return `{ node_id: ${id}, node_type: EFFECT_GENERIC, target_node_type: ${id}, depends_on: [${dependsOn.join(", ")}]${more === "" ? "" : `, ${more}`} }`;
}
