/**
 * What must hold of every run after any faults, as rules over the evidence. A rule answers how often it had something to
 * check, so that a test can demand that it was no empty promise, and tells each violation with its place.
 */
import { isDeepStrictEqual } from "node:util";
import { type Fact, type FactOf, isFinal } from "../../src/core/fact.ts";
import type { Entry, Evidence, LoggedRun, Turn } from "./evidence.ts";

export interface Violation {
  readonly rule: RuleName;
  readonly run: string;
  readonly what: string;
}
export interface Report {
  readonly violations: readonly Violation[];
  /** How often each rule had something to check. */
  readonly checked: Readonly<Record<RuleName, number>>;
}
export type RuleName = keyof typeof rules;

type Tell = (run: string, what: string) => void;
type Rule = (evidence: Evidence, tell: Tell) => number;

/** Judges what is there when every process has settled. */
export function check(evidence: Evidence): Report {
  const violations: Violation[] = [];
  const checked: Partial<Record<RuleName, number>> = {};
  for (const [name, rule] of Object.entries(rules) as [RuleName, Rule][])
    checked[name] = rule(evidence, (run, what) => violations.push({ rule: name, run, what }));
  return { violations, checked: checked as Record<RuleName, number> };
}

const rules = {
  /** A start that was acknowledged is there, and has come to an end. */
  "nothing lost": ({ runs, acknowledged }, tell) => {
    const rows = new Map(runs.map(({ row }) => [row.id, row]));
    for (const id of acknowledged) {
      const row = rows.get(id);
      if (row === undefined) tell(id, "its start was acknowledged, and it is not in the store");
      else if (row.endedAt === undefined) tell(id, `its start was acknowledged, and it is ${row.status}`);
    }
    return acknowledged.length;
  },

  "one row for each id": ({ runs }, tell) => {
    const seen = new Set<string>();
    for (const { row } of runs) {
      if (seen.has(row.id)) tell(row.id, "it stands in the store twice");
      seen.add(row.id);
    }
    return runs.length;
  },

  "turns have no gaps": (evidence, tell) =>
    eachTurn(evidence, ({ turn }, i, run) => {
      if (turn !== i) tell(run.row.id, `turn ${turn} stands where turn ${i} belongs`);
    }),

  "each turn begins where the one before ended": (evidence, tell) =>
    eachTurn(evidence, ({ turn, pos, next, facts }, i, { row, turns }) => {
      const before = turns[i - 1]?.next ?? 0;
      if (pos !== before) tell(row.id, `turn ${turn} begins at ${pos}, and the one before ended at ${before}`);
      if (next - pos !== facts.length) tell(row.id, `turn ${turn} goes from ${pos} to ${next}, and has ${facts.length} facts`);
    }),

  "epochs rise by one where ownership changes or the run ends, and nowhere else": (evidence, tell) =>
    eachTurn(evidence, ({ turn, epoch, facts, final }, i, { row, turns }) => {
      const taken = facts.filter((fact): fact is FactOf<"lease.acquired"> => fact.type === "lease.acquired");
      const before = turns[i - 1]?.epoch;
      const raised = facts.findLast((fact) => fact.type === "lease.raised");
      if (raised && raised.epoch !== epoch) tell(row.id, `turn ${turn} of epoch ${epoch} notes that it was raised to ${raised.epoch}`);
      const rises = final || taken.length > 0 ? 1 : raised ? Math.max(1, raised.epoch - (before ?? 0)) : 0;
      if (before !== undefined && epoch !== before + rises) tell(row.id, `turn ${turn} has epoch ${epoch} after ${before}`);
      for (const fact of taken)
        if (fact.epoch !== epoch) tell(row.id, `turn ${turn} of epoch ${epoch} notes a lease of epoch ${fact.epoch}`);
    }),

  "nothing follows the end": (evidence, tell) =>
    eachTurn(evidence, ({ turn, final, facts }, i, { row, turns }) => {
      const last = i === turns.length - 1;
      if (final && !last) tell(row.id, `turn ${turn} is final, and turns follow`);
      const end = facts.findIndex(isFinal);
      if (final !== end >= 0) tell(row.id, `turn ${turn} is ${final ? "final without an end" : "an end and not final"}`);
      if (end >= 0 && end !== facts.length - 1) tell(row.id, `turn ${turn}: ${facts[end + 1]?.type} follows ${facts[end]?.type}`);
      if (last && final !== (row.endedAt !== undefined))
        tell(row.id, `its row says ${row.status}, and its last turn is ${final ? "" : "not "}final`);
    }),

  "the row says how the run ended": (evidence, tell) => {
    let checked = 0;
    for (const { row, turns } of evidence.runs) {
      const end = turns.at(-1)?.facts.at(-1);
      if (end === undefined || !["run.completed", "run.failed", "run.cancelled"].includes(end.type)) continue;
      checked++;
      if (end.type !== `run.${row.status}`) tell(row.id, `its log ends with ${end.type}, and its row says ${row.status}`);
    }
    return checked;
  },

  "time does not go back": (evidence, tell) => {
    let checked = 0;
    for (const { row, turns } of evidence.runs) {
      let latest = 0;
      for (const { type, at } of factsOf(turns)) {
        if (at < latest) tell(row.id, `${type} is of ${at}, and a fact before it of ${latest}`);
        latest = Math.max(latest, at);
        checked++;
      }
    }
    return checked;
  },

  "a step has one outcome, and nothing after it": (evidence, tell) => {
    let checked = 0;
    for (const { row, turns } of evidence.runs) {
      const settled = new Set<string>();
      for (const fact of factsOf(turns)) {
        if (!("step" in fact) || fact.step === undefined || !(fact.type.startsWith("action.") || fact.type === "step.failed")) continue;
        if (settled.has(fact.step)) tell(row.id, `${fact.type} of step ${fact.step} comes after its outcome`);
        if (fact.type !== "action.completed" && fact.type !== "step.failed") continue;
        settled.add(fact.step);
        checked++;
      }
    }
    return checked;
  },

  "every call of a step has its key and its input, and no other step has that key": ({ entries }, tell) => {
    const first = new Map<string, Entry>();
    const steps = new Map<string, string>();
    for (const entry of entries) {
      const step = stepOf(entry);
      const before = first.get(step) ?? entry;
      first.set(step, before);
      if (entry.key !== before.key) tell(entry.run, `step ${entry.step} was called with the keys ${before.key} and ${entry.key}`);
      if (entry.phase === "accepted" && before.phase === "accepted" && !isDeepStrictEqual(entry.input, before.input))
        tell(entry.run, `step ${entry.step} was called with the inputs ${shown(before.input)} and ${shown(entry.input)}`);
      const owner = steps.get(entry.key) ?? step;
      steps.set(entry.key, owner);
      if (owner !== step) tell(entry.run, `step ${entry.step} has the key of ${owner}`);
    }
    return entries.length;
  },

  "nothing is done that was not announced": (evidence, tell) => {
    const announced = new Map<string, FactOf<"action.dispatched">>();
    for (const { row, turns } of evidence.runs)
      for (const fact of factsOf(turns))
        if (fact.type === "action.dispatched") announced.set(`${row.id} ${fact.step} ${fact.attempt}`, fact);
    return eachAccepted(evidence, (entry) => {
      const fact = announced.get(`${stepOf(entry)} ${entry.attempt}`);
      if (fact === undefined) tell(entry.run, `attempt ${entry.attempt} of step ${entry.step} was done, and never announced`);
      else if (!isDeepStrictEqual(fact.input, entry.input))
        tell(entry.run, `step ${entry.step} was announced with ${shown(fact.input)}, and called with ${shown(entry.input)}`);
    });
  },

  "a call names a lease that its run was under": (evidence, tell) => {
    const leases = new Set<string>();
    let lease = "";
    for (const { row, turns } of evidence.runs)
      for (const fact of factsOf(turns)) {
        if (fact.type === "lease.acquired") lease = fact.leaseId;
        if (fact.type === "lease.acquired" || fact.type === "lease.raised") leases.add(`${row.id} ${fact.epoch} ${lease}`);
      }
    return eachAccepted(evidence, ({ run, step, epoch, leaseId }) => {
      if (!leases.has(`${run} ${epoch} ${leaseId}`))
        tell(run, `step ${step} was called under lease ${leaseId} of epoch ${epoch}, which its log does not know`);
    });
  },

  "a host takes nothing of an owner before the last that it heard of": (evidence, tell) => {
    const highest = new Map<string, Entry>();
    let checked = 0;
    eachAccepted(evidence, (entry) => {
      const { run, pid, step, epoch, leaseId } = entry;
      const before = highest.get(`${pid} ${run}`);
      if (before !== undefined) {
        checked++;
        if (epoch < before.epoch) tell(run, `the host ${pid} took step ${step} of epoch ${epoch} after one of epoch ${before.epoch}`);
        else if (epoch === before.epoch && leaseId !== before.leaseId)
          tell(run, `the host ${pid} took calls of epoch ${epoch} under the leases ${before.leaseId} and ${leaseId}`);
      }
      if (before === undefined || epoch > before.epoch) highest.set(`${pid} ${run}`, entry);
    });
    return checked;
  },

  "no owner calls what was recorded before it took the run": (evidence, tell) => {
    const recorded = new Map<string, number>();
    for (const { row, turns } of evidence.runs)
      for (const { epoch, facts } of turns)
        for (const fact of facts) if (fact.type === "action.completed") recorded.set(`${row.id} ${fact.step}`, epoch);
    return eachAccepted(evidence, (entry) => {
      const epoch = recorded.get(stepOf(entry));
      if (epoch !== undefined && entry.epoch > epoch)
        tell(entry.run, `step ${entry.step} was recorded in epoch ${epoch}, and called again in epoch ${entry.epoch}`);
    });
  },

  "what is recorded was done": (evidence, tell) => {
    const done = new Map<string, Entry[]>();
    for (const entry of evidence.entries) {
      if (entry.phase !== "done") continue;
      const step = `${stepOf(entry)} ${entry.attempt}`;
      done.set(step, [...(done.get(step) ?? []), entry]);
    }
    let checked = 0;
    for (const { row, turns } of evidence.runs)
      for (const fact of factsOf(turns)) {
        if (fact.type !== "action.completed") continue;
        checked++;
        const seen = done.get(`${row.id} ${fact.step} ${fact.attempt}`) ?? [];
        if (seen.length === 0) tell(row.id, `attempt ${fact.attempt} of step ${fact.step} is recorded, and the world never saw it`);
        else if (!seen.some(({ output }) => isDeepStrictEqual(output, fact.output)))
          tell(
            row.id,
            `step ${fact.step} is recorded with ${shown(fact.output)}, and the world answered ${shown(seen.map(({ output }) => output))}`,
          );
      }
    return checked;
  },

  "each step of a completed run counts once in the world": (evidence, tell) => {
    const keys = new Map<string, Map<string, Set<string>>>();
    for (const { phase, run, step, key } of evidence.entries) {
      if (phase !== "done") continue;
      const steps = keys.get(run) ?? new Map<string, Set<string>>();
      keys.set(run, steps.set(step, (steps.get(step) ?? new Set()).add(key)));
    }
    let checked = 0;
    for (const { row, turns } of evidence.runs) {
      if (row.status !== "completed") continue;
      const facts = factsOf(turns);
      const recorded = new Set(facts.flatMap((fact) => (fact.type === "action.completed" ? [fact.step] : [])));
      const steps = keys.get(row.id) ?? new Map<string, Set<string>>();
      for (const step of new Set([...recorded, ...steps.keys()])) {
        checked++;
        const net = steps.get(step)?.size ?? 0;
        if (net !== 1) tell(row.id, `step ${step} has ${net} effects`);
        else if (!recorded.has(step)) tell(row.id, `step ${step} was done, and is not recorded`);
      }
    }
    return checked;
  },
} satisfies Record<string, Rule>;

function eachTurn({ runs }: Evidence, look: (turn: Turn, i: number, run: LoggedRun) => void): number {
  let checked = 0;
  for (const run of runs)
    for (const [i, turn] of run.turns.entries()) {
      look(turn, i, run);
      checked++;
    }
  return checked;
}

function eachAccepted({ entries }: Evidence, look: (entry: Entry) => void): number {
  const accepted = entries.filter(({ phase }) => phase === "accepted");
  for (const entry of accepted) look(entry);
  return accepted.length;
}

function factsOf(turns: readonly Turn[]): readonly Fact[] {
  return turns.flatMap(({ facts }) => facts);
}

function stepOf({ run, step }: Entry): string {
  return `${run} ${step}`;
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}
