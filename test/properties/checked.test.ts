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
  if (read && !findings.failed) checkFlow(read, registry, findings);
  return findings.sorted();
}

const figures: Record<string, number> = {};
const tell = (what: string) => {
  figures[what] = (figures[what] ?? 0) + 1;
};

async function holds(seed: number): Promise<void> {
  const draw = seeded(seed + 7_000_000);
  const called = new Set<string>();
  const nodes = Object.values(nodesOf(draw, called));
  const text = stringify(new Maker(seed, seed % 2 === 0 ? 0.05 : 0).contract());
  const findings = findingsOf(text, new Registry(nodes));
  const said = `seed ${seed}\n${text}\n${findings.map(({ line, code, message }) => `${line}: ${code} ${message}`).join("\n")}`;
  if (findings.some(({ level }) => level === "error")) {
    if (seed % 2 !== 0) {tell(`false: ${findings.find(({ level }) => level === "error")?.code}`);
    console.log(said.replace(/^input:[^]*?^steps/m, "steps"));}
    return tell("refused");
  }
  const has = (code: string) => findings.some((one) => one.code === code);
  const mayFail = findings.some(({ code }) => code.startsWith("REFERENCE_MAYBE"));
  tell(mayFail ? "may fail" : "clean");
  if (mayFail && seed % 2 !== 0) {tell("careful without a slip");
  console.log(said.replace(/^input:[^]*?^steps/m, "steps"));}
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
    const what = `${JSON.stringify(input)} ${status} ${error?.code}: ${error?.message}\n${said}`;
    expect(["completed", "failed"], what).toContain(status);
    tell(status);
    if (!mayFail && error) expect(ofValues.has(error.code), what).toBe(false);
    if (has("RUN_ALWAYS_FAILS")) expect(status, what).toBe("failed");
    for (const step of idle) expect([...called], `${step} ran: ${what}`).not.toContain(step);
    if (idle.length > 0) tell("idle steps");
  }
  await t.close();
}

test(`${count} contracts do what was said of them (seeds from ${first})`, async () => {
  for (let seed = first; seed < first + count; seed++) await holds(seed);
  console.log(JSON.stringify(figures));
}, 60_000);
