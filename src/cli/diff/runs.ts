/** The runs under way of a workflow, each judged against a new definition. Reads only. */
import { type Fact, isFinal, type RunStatus } from "../../core/fact.ts";
import { failureOf, OnexError } from "../../core/failure.ts";
import type { Verdict } from "../../core/move.ts";
import { isPin, type Pin, pinned } from "../../core/pin.ts";
import type { Orchestrator } from "../../engine/api.ts";
import type { Engine } from "../../engine/engine.ts";
import { judgeMove, type Side } from "../../engine/migrate.ts";
import { OrchestratorFace } from "../../engine/orchestrator.ts";
import type { WorkflowContract } from "../../node/contract.ts";
import type { RunRow } from "../../store/store.ts";

export interface Judged {
  readonly id: string;
  /** Which definition it is pinned to: the old one, the new one already, or any other of that workflow. */
  readonly on: "old" | "new" | "other";
  readonly verdict: Verdict;
}

const open: readonly RunStatus[] = ["pending", "running", "waiting", "compensating", "paused"];
const page = 500;

/** The engine behind an orchestrator, to read logs as they are and not as they are shown. */
export function engineOf(orchestrator: Orchestrator): Engine {
  if (orchestrator instanceof OrchestratorFace) return orchestrator.engine;
  throw new OnexError("ENGINE_FAILED", "this orchestrator is not of createOrchestrator");
}

/** The runs of that workflow that have not ended, newest first within each status. */
export async function* underWay(engine: Engine, workflow: string): AsyncIterable<RunRow> {
  const seen = new Set<number>();
  for (const status of open)
    for (let before: number | undefined; ; ) {
      const rows = await engine.store.list({ status, workflow, limit: page, ...(before === undefined ? {} : { before }) });
      for (const row of rows) if (!seen.has(row.runNo)) yield row;
      // A run that goes on meanwhile may be met under two statuses.
      for (const { runNo } of rows) seen.add(runNo);
      if (rows.length < page) break;
      before = rows.at(-1)?.runNo;
    }
}

/** What would become of one run. A run that has ended since is left out. */
export async function judgeRow(engine: Engine, row: RunRow, old: Side, now: Side): Promise<Judged | undefined> {
  try {
    const facts = (await engine.store.turns(row.runNo)).flatMap((turn) => engine.decode(row.runNo, turn));
    if (isFinal(facts.at(-1) as Fact)) return undefined;
    const pin = pinned(facts);
    if (isPin(pin, pinOf(now.contract))) return { id: row.id, on: "new", verdict: { how: "safe" } };
    const on = isPin(pin, pinOf(old.contract)) ? "old" : "other";
    const contract = on === "old" ? old.contract : await restored(engine, pin);
    if (!contract) return { id: row.id, on, verdict: missing(pin) };
    const verdict = judgeMove(engine, row.id, facts, { ...old, contract }, now);
    if (verdict.how === "safe") return { id: row.id, on, verdict };
    // What a program said of the run's values tells no secret of it.
    engine.secrets.join(row.id, row.runNo);
    return { id: row.id, on, verdict: { ...verdict, reason: engine.secrets.of(row.id).text(verdict.reason) } };
  } catch (error) {
    return { id: row.id, on: "other", verdict: { how: "decide", reason: failureOf(error, "ENGINE_FAILED").message } };
  }
}

export function pinOf({ name, version, plan }: WorkflowContract): Pin {
  return { workflow: name, version, ...(plan ? { definition: plan.hash } : {}) };
}

async function restored(engine: Engine, pin: Pin): Promise<WorkflowContract | undefined> {
  await engine.definitions.load(engine.store, pin);
  return engine.workflowOf(pin);
}

function missing({ workflow, version }: Pin): Verdict {
  return { how: "decide", reason: `it runs on ${workflow}@${version}, which is neither OLD nor in the store: name that one as OLD` };
}

/** Runs with one fate, by reason; the most frequent first. */
export interface Group {
  readonly reason: string;
  readonly ids: readonly string[];
}
export interface Fates {
  readonly safe: readonly string[];
  readonly finish: readonly Group[];
  readonly decide: readonly Group[];
}

export function fatesOf(judged: readonly Judged[]): Fates {
  const grouped = (how: "finish" | "decide"): Group[] => {
    const groups = new Map<string, string[]>();
    for (const { id, verdict } of judged) {
      if (verdict.how !== how) continue;
      const ids = groups.get(verdict.reason);
      if (ids) ids.push(id);
      else groups.set(verdict.reason, [id]);
    }
    return [...groups].map(([reason, ids]) => ({ reason, ids })).sort((a, b) => b.ids.length - a.ids.length);
  };
  return {
    safe: judged.filter(({ verdict }) => verdict.how === "safe").map(({ id }) => id),
    finish: grouped("finish"),
    decide: grouped("decide"),
  };
}
