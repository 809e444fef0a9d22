/** What holds for every log, and the folds of it. */
import { expect } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { decide, fold } from "../../src/core/decide.ts";
import { type Fact, isFinal, type Started } from "../../src/core/fact.ts";
import { type Program, Replay, type ReplayOptions } from "../../src/core/replay.ts";
import { undoProgram, undoWorkflow } from "../../src/core/undo.ts";
import { guarded } from "../../src/engine/guard.ts";
import { recordedOutput, type WorkflowContract } from "../../src/node/contract.ts";
import type { Played, PlayedRun } from "./drive.ts";
import { keyOf } from "./outside.ts";
import type { Nodes } from "./tree.ts";

const optionsFor = (runId: string): ReplayOptions => ({ runId, keyOf: (step) => keyOf(runId, step), guard: guarded });
const started = (run: PlayedRun): Started => run.facts[0] as Started;
const final = (run: PlayedRun): Fact => run.facts.at(-1) as Fact;

// ── folding ──

const noNodes = { find: () => undefined, names: () => [] };
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function programFor(nodes: Nodes, runs: readonly PlayedRun[], run: PlayedRun): Program {
  const { workflow } = started(run);
  if (workflow === undoWorkflow.name) {
    const { runId } = started(run).input as { readonly runId: string };
    const child = runs.find(({ row }) => row.id === runId) as PlayedRun;
    return {
      onFailure: "compensate",
      *begin() {
        if (final(child).type !== "run.completed") return null;
        return yield* undoProgram(fold(programFor(nodes, runs, child), child.facts, optionsFor(runId)).owed(), (step) =>
          keyOf(runId, step),
        );
      },
      finish: () => null,
    };
  }
  const contract: WorkflowContract = (workflow === "tree" ? nodes.whole : nodes.stopping).contract;
  return {
    onFailure: contract.onFailure,
    begin: (from) => contract.begin(from.input, { runId: run.row.id, correlationId: from.correlationId, log }, noNodes),
    finish: (returned) => recordedOutput(contract, returned),
  };
}

function wishes(commands: readonly Command[]): unknown[] {
  return commands.map((command) => {
    const { callee, ...rest } = { callee: undefined, ...command };
    return { ...rest, node: callee?.name };
  });
}
/** Everything that a Replay says. */
export function said(replay: Replay): string {
  return JSON.stringify({
    open: wishes(replay.open()),
    armed: [...replay.armed],
    status: replay.status,
    calls: replay.calls,
    held: replay.held,
    final: replay.final,
    mailbox: replay.mailbox,
    owed: replay.owed().map(({ step, order, input, output, keep }) => ({ step, order, input, output, keep })),
  });
}

/** What the engine's own Replays said after each fact, while they were warm. */
export interface Warm {
  readonly runId: string;
  readonly facts: string[];
  readonly said: string[];
}
/** Writes down what every Replay says from now on; the answer stops that. */
export function listen(): { readonly heard: Warm[]; stop(): void } {
  const heard: Warm[] = [];
  const known = new WeakMap<Replay, Warm>();
  const { apply } = Replay.prototype;
  Replay.prototype.apply = function (this: Replay, fact: Fact): void {
    apply.call(this, fact);
    let warm = known.get(this);
    if (!warm) {
      warm = { runId: this.runId, facts: [], said: [] };
      known.set(this, warm);
      heard.push(warm);
    }
    warm.facts.push(JSON.stringify(fact));
    warm.said.push(said(this));
  };
  return {
    heard,
    stop: () => {
      Replay.prototype.apply = apply;
    },
  };
}

/** (a) Answers how many facts were folded. */
export function foldsAgree({ nodes, runs }: Played, heard: readonly Warm[]): number {
  let folded = 0;
  for (const run of runs) {
    const { id } = run.row;
    const options = optionsFor(id);
    const turns = new Set(run.turns.map(({ next }) => next));
    const cold = run.facts.map((_, i) => {
      folded += i + 1;
      const facts = run.facts.slice(0, i + 1);
      const replay = fold(programFor(nodes, runs, run), facts, options);
      if (turns.delete(i + 1)) expect(wishes(decide(programFor(nodes, runs, run), facts, options))).toEqual(wishes(replay.open()));
      return said(replay);
    });
    expect([...turns], `${id}: every turn ends after a fact`).toEqual([]);
    // One by one, asked for its wishes as the engine does.
    const warm = new Replay(programFor(nodes, runs, run), options);
    run.facts.forEach((fact, i) => {
      warm.apply(fact);
      for (const command of warm.take()) expect(warm.isOpen(command.key)).toBe(true);
      expect(warm.length).toBe(i + 1);
      expect(said(warm), `${id}: warm and cold after fact ${i}`).toBe(cold[i]);
    });
    // The engine's own, as long as what they folded was accepted.
    const texts = run.facts.map((fact) => JSON.stringify(fact));
    let furthest = 0;
    for (const live of heard) {
      if (live.runId !== id) continue;
      for (let i = 0; i < live.facts.length && live.facts[i] === texts[i]; i++) {
        expect(live.said[i], `${id}: the engine's Replay and a cold one after fact ${i}`).toBe(cold[i]);
        furthest = Math.max(furthest, i + 1);
      }
    }
    expect(furthest, `${id}: the engine folded the whole log`).toBe(run.facts.length);
  }
  return folded;
}

// ── invariants ──

/** (c) Holds for every run of every play. */
export function logsHold(played: Played): void {
  for (const run of played.runs) {
    turnsHold(run);
    epochsHold(run);
    stepsHold(run);
  }
  expect(played.early, "calls that were made before their intent was accepted").toEqual([]);
  deliveriesHold(played);
  ledgerHolds(played);
}

function turnsHold({ row, turns, facts }: PlayedRun): void {
  const where = `run ${row.id}`;
  let pos = 0;
  turns.forEach((turn, i) => {
    expect(turn.turn, `${where}: turns are dense`).toBe(i);
    expect(turn.pos, `${where}: turn ${i} begins where the one before it ended`).toBe(pos);
    expect((JSON.parse(turn.facts) as unknown[]).length, `${where}: facts of turn ${i}`).toBe(turn.next - turn.pos);
    expect(turn.final, `${where}: turn ${i}`).toBe(i === turns.length - 1);
    pos = turn.next;
  });
  expect(facts.length, where).toBe(pos);
  expect(facts[0]?.type, where).toBe("run.started");
  expect(facts.filter(({ type }) => type === "run.started").length, where).toBe(1);
  expect(facts.filter(isFinal).length, `${where} ends once`).toBe(1);
  expect(isFinal(facts.at(-1) as Fact), `${where} ends with its last fact`).toBe(true);
  facts.forEach((fact, i) => {
    expect(fact.at, `${where}: the time of fact ${i}`).toBeGreaterThanOrEqual(facts[Math.max(0, i - 1)]?.at as number);
  });
}

function epochsHold({ row, turns }: PlayedRun): void {
  const where = `run ${row.id}`;
  let epoch = 0;
  for (const turn of turns) {
    const taken = (JSON.parse(turn.facts) as Fact[]).filter((fact) => fact.type === "lease.acquired");
    for (const fact of taken) {
      expect(fact.epoch, `${where}: an acquisition raises the epoch by one`).toBe(epoch + 1);
      epoch = fact.epoch;
    }
    expect(taken.length, `${where}: a turn takes the run once`).toBeLessThanOrEqual(1);
    // The last turn closes the epoch; one that takes the run as well has a fresh one already.
    if (turn.final && (taken.length === 0 || turn.turn === 0)) epoch++;
    expect(turn.epoch, `${where}: the epoch of turn ${turn.turn}`).toBe(epoch);
  }
}

function stepsHold({ row, facts }: PlayedRun): void {
  interface Step {
    node: string;
    input: string;
    attempt: number;
    open: boolean;
    ended: boolean;
    items: number;
  }
  const steps = new Map<string, Step>();
  const inline = new Set<string>();
  for (const fact of facts) {
    const where = "step" in fact ? `run ${row.id}, step ${fact.step}, ${fact.type}` : "";
    const step = "step" in fact && fact.step !== undefined ? steps.get(fact.step) : undefined;
    switch (fact.type) {
      case "action.dispatched": {
        const input = JSON.stringify(fact.input);
        expect(inline.has(fact.step), where).toBe(false);
        if (step) {
          expect(step.ended, `${where}: its result is recorded`).toBe(false);
          expect(step.open, `${where}: an attempt is under way`).toBe(false);
          expect({ node: step.node, input: step.input }, where).toEqual({ node: fact.node, input });
        }
        expect(fact.attempt, where).toBe((step?.attempt ?? 0) + 1);
        steps.set(fact.step, { node: fact.node, input, attempt: fact.attempt, open: true, ended: false, items: step?.items ?? 0 });
        break;
      }
      case "action.item":
        expect([step?.open, step?.attempt, step?.items], `${where}: items follow each other`).toEqual([true, fact.attempt, fact.index]);
        if (step) step.items++;
        break;
      case "action.completed":
      case "action.failed":
        expect(step?.open, where).toBe(true);
        expect(fact.attempt, where).toBe(step?.attempt);
        if (!step) break;
        step.open = false;
        if (fact.type === "action.completed" || fact.final) step.ended = true;
        break;
      case "step.failed":
        if (step) step.ended = true;
        break;
      case "run.resumed":
        if (step && fact.as === "output") step.ended = true;
        break;
      case "compute.completed":
      case "reducer.applied":
      case "value.recorded":
        expect(inline.has(fact.step), `${where}: it is recorded once`).toBe(false);
        inline.add(fact.step);
        break;
    }
  }
}

function deliveriesHold({ runs, outside }: Played): void {
  const intents = new Map<string, { readonly input: string; readonly runId: string; attempts: number }>();
  for (const { row, facts } of runs)
    for (const fact of facts)
      if (fact.type === "action.dispatched") {
        const key = keyOf(row.id, fact.step);
        intents.set(key, {
          input: JSON.stringify(fact.input),
          runId: row.id,
          attempts: Math.max(fact.attempt, intents.get(key)?.attempts ?? 0),
        });
      }
  const keys = new Map<string, string>();
  for (const { runId, key, input, attempt, node } of outside.deliveries) {
    const intent = intents.get(key);
    expect(intent, `a call of ${node} in ${runId} whose intent was never accepted: ${input}`).toBeDefined();
    expect({ input, runId }, "every delivery carries what its intent says").toEqual({ input: intent?.input, runId: intent?.runId });
    expect(attempt).toBeLessThanOrEqual(intent?.attempts ?? 0);
    // The id of an act stands once in a tree, so in a run it has one key.
    const id = `${runId} ${node} ${(JSON.parse(input) as { id: string }).id}`;
    if (node === "act") expect(keys.get(id) ?? key, `the key of ${id}`).toBe(key);
    keys.set(id, key);
  }
}

/** Everything owed is undone, and nothing else. */
function ledgerHolds({ runs, outside, given }: Played): void {
  const byId = new Map(runs.map((run) => [run.row.id, run]));
  const undone = new Set<string>();
  const stepOf = new Map<string, string>();
  const completed = new Set<string>();
  for (const { row, facts } of runs) {
    const backs = new Map<string, string>();
    for (const fact of facts) {
      if (fact.type === "action.dispatched") {
        stepOf.set(keyOf(row.id, fact.step), fact.step);
        if (fact.node === "back") backs.set(fact.step, (fact.input as { readonly key: string }).key);
      }
      if (fact.type !== "action.completed") continue;
      const back = backs.get(fact.step);
      if (back === undefined) completed.add(keyOf(row.id, fact.step));
      else undone.add(back);
    }
  }
  /** Steps of the run, and of those around it, that could not be undone or need not be. */
  const excused = (run: PlayedRun, step: string): boolean => {
    if ((run.view.notUndone as readonly string[]).includes(step)) return true;
    const { parent } = started(run);
    const around = parent && byId.get(parent.runId);
    return parent !== undefined && around !== undefined && excused(around, parent.step);
  };
  const takenBack = (run: PlayedRun): boolean => {
    if (final(run).type !== "run.completed") return true;
    const { parent } = started(run);
    const around = parent && byId.get(parent.runId);
    return around !== undefined && takenBack(around);
  };
  for (const [key, entry] of outside.ledger) {
    const run = byId.get(entry.runId) as PlayedRun;
    const step = stepOf.get(key) as string;
    const where = `run ${entry.runId}, step ${step}`;
    expect(entry.state === "undone", `${where}: it is undone if the log says so`).toBe(undone.has(key));
    if (entry.act.cleanup || given.has(`${entry.runId}\0${step}`)) continue;
    if (completed.has(key) && !undone.has(key)) expect(entry.state, `${where}: it completed`).toBe("done");
    if (entry.state !== "done" || excused(run, step)) continue;
    expect(takenBack(run), `${where}: it stays done in a run that was taken back`).toBe(false);
    // What may have happened is undone also when all goes well, unless it is kept.
    if (!entry.act.keep) expect(completed.has(key), `${where}: it stays done and nobody knows`).toBe(true);
  }
}

// ── the same, whatever crashed ──

/** (b) What must be equal however often the process died. */
export function outcome({ runs, outside, base }: Played): unknown {
  const completed = (run: PlayedRun): string[] =>
    run.facts.flatMap((fact) => {
      if (fact.type === "action.completed") return [`${fact.step} ${fact.attempt} ${JSON.stringify(fact.output)}`];
      if (fact.type === "compute.completed") return [`${fact.step} ${JSON.stringify(fact.output)}`];
      if (fact.type === "reducer.applied") return [`${fact.step} ${JSON.stringify(fact.state)}`];
      if (fact.type === "value.recorded") return [`${fact.step} ${JSON.stringify(fact.value)}`];
      return fact.type === "child.ended" ? [`${fact.step} ${fact.status}`] : [];
    });
  return {
    runs: Object.fromEntries(
      runs.map((run) => {
        const { at, ...end } = final(run);
        return [run.row.id, { end, took: at - base, steps: completed(run).sort() }];
      }),
    ),
    done: [...outside.ledger]
      .filter(([, { state }]) => state === "done")
      .map(([key, { runId, act }]) => `${runId} ${act.id} ${key}`)
      .sort(),
  };
}
