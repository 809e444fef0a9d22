/**
 * What `onex check` says of a contract is what its runs do: where it finds nothing that may be absent or null, no run fails
 * for its values, and a step that it says never runs does not run. `ONEX_CHECKED_RUNS` asks for more contracts, and
 * `ONEX_CHECKED_SEED` for others.
 */
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { Registry } from "../../src/node/registry.ts";
import { checkFlow } from "../../src/plan/check.ts";
import { type Finding, Findings } from "../../src/plan/finding.ts";
import { parseWorkflow, readText } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { quiet } from "../semantics/kit.ts";
import { inputOf, Maker, nodesOf, seeded } from "./typed.ts";

const count = Number(process.env.ONEX_CHECKED_RUNS ?? 40);
const first = Number(process.env.ONEX_CHECKED_SEED ?? 1);

/** Failures of values: what a checker of types is for. */
const ofValues = new Set(["EXPRESSION_FAILED", "INPUT_INVALID", "OUTPUT_INVALID", "STEP_FAILED", "EXPRESSION_INVALID", "TYPE_MISMATCH"]);

function findingsOf(text: string, registry: Registry): readonly Finding[] {
  const findings = new Findings("flow.yaml");
  const read = readText(text, findings, () => undefined);
  if (!read || findings.failed) return findings.sorted();
  const bound = new Findings("flow.yaml");
  checkFlow(read, registry, bound);
  return bound.sorted();
}

async function holds(seed: number): Promise<string> {
  const draw = seeded(seed + 7_000_000);
  const called = new Set<string>();
  const nodes = Object.values(nodesOf(draw, called));
  // Every second one may use what may be null, unguarded.
  const text = stringify(new Maker(seed, seed % 2 === 0 ? 0.05 : 0).contract());
  const findings = findingsOf(text, new Registry(nodes));
  if (findings.some(({ level }) => level === "error")) return "refused";
  const has = (code: string) => findings.some((one) => one.code === code);
  const mayFail = findings.some(({ code }) => code.startsWith("REFERENCE_MAYBE"));
  const idle = findings.flatMap(({ code, message }) =>
    code === "STEP_UNREACHABLE" || code === "JOIN_NEVER" ? [/"(s\d+)" (?:never runs|can never begin)/.exec(message)?.[1] ?? ""] : [],
  );
  const flow = parseWorkflow(text, "flow.yaml");
  const t = testOrchestrator({ nodes: [flow, ...nodes], log: quiet });
  for (let i = 0; i < 3; i++) {
    called.clear();
    const input = inputOf(draw);
    const run = await t.start(flow as never, input as never, { runId: `run-${i}` });
    await t.advance("10m");
    const { status, error } = await run.status();
    const found = findings.map(({ line, code, message }) => `${line}: ${code} ${message}`);
    const what = `seed ${seed}: ${JSON.stringify(input)} ${status} ${error?.code}: ${error?.message}\n${text}\n${found.join("\n")}`;
    expect(["completed", "failed"], what).toContain(status);
    if (!mayFail && error) expect(ofValues.has(error.code), what).toBe(false);
    if (has("RUN_ALWAYS_FAILS")) expect(status, what).toBe("failed");
    for (const step of idle) expect([...called], `${step} ran: ${what}`).not.toContain(step);
  }
  await t.close();
  return idle.length > 0 ? "idle" : mayFail ? "may fail" : "clean";
}

test(
  `${count} contracts do what was said of them (seeds from ${first})`,
  async () => {
    const figures: Record<string, number> = {};
    for (let seed = first; seed < first + count; seed++) {
      const was = await holds(seed);
      figures[was] = (figures[was] ?? 0) + 1;
    }
    // The test looks at something: most contracts are clean.
    expect(figures.clean, JSON.stringify(figures)).toBeGreaterThan(count / 2);
  },
  300_000 + 1_000 * count,
);
