/** A run as people see it: one function of its facts, for CLI, API and tests. */
import { type Fact, type FactOf, isFinal, type RunStatus, type Started } from "./fact.ts";
import type { Failure } from "./failure.ts";
import type { Json } from "./json.ts";
import type { NodeKind } from "./operation.ts";
import { repinned } from "./pin.ts";

export type StepStatus = "running" | "retrying" | "waiting" | "paused" | "completed" | "failed" | "aborted";

export interface StepView {
  readonly step: string;
  readonly node: string;
  readonly kind: NodeKind | "sleep" | "signal" | "value";
  readonly status: StepStatus;
  readonly attempts: number;
  /** Of a stream: items recorded so far. */
  readonly items?: number;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly output?: Json;
  readonly error?: Failure;
  /** When a sleeping or retrying step goes on, ms. */
  readonly due?: number;
}

export interface RunView {
  readonly runId: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: RunStatus;
  readonly steps: readonly StepView[];
  readonly input: Json;
  readonly correlationId: string;
  readonly startedAt: number;
  /** It begins then and not before, ms. */
  readonly startAt?: number;
  /** The tick of the schedule that started it, ms. */
  readonly scheduledAt?: number;
  readonly endedAt?: number;
  readonly output?: Json;
  readonly error?: Failure;
  /** The step that failed the run. */
  readonly failedStep?: string;
  readonly notUndone: readonly string[];
  readonly paused?: { readonly code: string; readonly step?: string; readonly message: string };
  /** Why no process drives it: "VERSION_MISSING". */
  readonly blocked?: string;
  readonly epoch: number;
  readonly retries: number;
  /** Calls sent again after a process died with them unanswered are counted by the engine; here: takeovers of the run. */
  readonly takeovers: number;
  /** Who had it, the first one first. What a fork shares belongs to the owners of the other run. */
  readonly owners: readonly OwnerView[];
  /** The run whose past it shares, up to that step. */
  readonly forkedFrom?: { readonly runId: string; readonly step?: string };
  readonly compensated: boolean;
  /** It was moved to another definition of its workflow: the version that it had before, and when, ms. */
  readonly moved?: { readonly from: string; readonly at: number };
  /** It was asked to go on with another definition, and could not. */
  readonly notMoved?: { readonly version: string; readonly message: string; readonly step?: string; readonly at: number };
}

/** Who had the run, and for how long. */
export interface OwnerView {
  readonly epoch: number;
  readonly leaseId: string;
  /** How it came to the run: it began it, took it up when a time or a message woke it, or after another owner of it was gone. */
  readonly taken: "started" | "woken" | "taken over";
  readonly at: number;
  /** Its last sign in the log, ms; left out of the one that is not followed by another, while the run has not ended. */
  readonly until?: number;
  /** The process; logs of earlier versions do not name it. */
  readonly by?: { readonly host: string; readonly pid: number };
}

type Draft = { -readonly [K in keyof StepView]: StepView[K] };

/** Folds facts into what people see. Throws nothing for an unfinished log; an empty one is a run that is pending. */
export function view(runId: string, facts: readonly Fact[]): RunView {
  const steps = new Map<string, Draft>();
  let started: Started | undefined;
  let status: RunStatus = "pending";
  let end: Partial<Pick<RunView, "output" | "error" | "failedStep" | "notUndone" | "endedAt">> = {};
  /** Waits that a message ended, by its number. */
  const taken = new Map<number, Draft>();
  /** Messages that came while no step waited for them, since the last wait of that name began. */
  let unread: FactOf<"signal.received">[] = [];
  const pauses = new Map<string, NonNullable<RunView["paused"]>>();
  let compensating = false;
  let compensated = false;
  let epoch = 0;
  let acquisitions = 0;
  let owners: OwnerView[] = [];
  let retries = 0;
  let forked: FactOf<"run.forked"> | undefined;
  let moved: Pick<RunView, "moved" | "notMoved"> = {};

  const step = (fact: { readonly step: string; readonly at: number }, node: string, kind: Draft["kind"], to: StepStatus): Draft => {
    let draft = steps.get(fact.step);
    if (!draft) {
      draft = { step: fact.step, node, kind, status: to, attempts: 0, startedAt: fact.at };
      steps.set(fact.step, draft);
    }
    draft.status = to;
    if (to === "running") delete draft.endedAt;
    return draft;
  };
  const close = (draft: Draft | undefined, at: number, to: StepStatus, value: { output?: Json; error?: Failure }) => {
    if (!draft) return;
    draft.status = to;
    draft.endedAt = at;
    delete draft.due;
    // What an earlier attempt failed with is not the error of a step that succeeded.
    if (to === "completed") delete draft.error;
    Object.assign(draft, value);
  };
  const take = ({ seq, at, payload }: FactOf<"signal.received">, draft: Draft) => {
    close(draft, at, "completed", { output: payload });
    taken.set(seq, draft);
  };

  for (const [pos, fact] of facts.entries()) {
    switch (fact.type) {
      case "run.started":
        started = fact;
        status = "pending";
        break;
      case "run.forked":
        // What stands before it happened in another run.
        forked = fact;
        epoch = 0;
        acquisitions = 0;
        owners = [];
        break;
      case "lease.acquired": {
        epoch = fact.epoch;
        acquisitions++;
        const before = owners.pop();
        if (before) owners.push({ ...before, until: facts[pos - 1]?.at ?? fact.at });
        const { leaseId, at, by } = fact;
        const busy = (): boolean => [...steps.values()].some((draft) => draft.kind === "effect" && draft.status === "running");
        // Put down: its own owner has it again, or what it waited for comes with the lease. One that is gone leaves neither.
        const woken = before?.leaseId === leaseId || (bringsNews(fact, facts[pos + 1]) && !busy());
        const taken = before === undefined ? "started" : woken ? "woken" : "taken over";
        owners.push({ epoch, leaseId, taken, at, ...(by === undefined ? {} : { by }) });
        break;
      }
      case "lease.raised": {
        epoch = fact.epoch;
        const owner = owners.pop();
        if (owner) owners.push({ ...owner, epoch });
        break;
      }
      case "action.dispatched": {
        const draft = step(fact, fact.node, "effect", "running");
        draft.attempts = fact.attempt;
        delete draft.due;
        if (fact.attempt > 1) retries++;
        if (fact.step.includes("~undo/")) compensated = true;
        break;
      }
      case "action.item": {
        const draft = steps.get(fact.step);
        if (draft) draft.items = fact.index + 1;
        break;
      }
      case "action.completed":
        close(steps.get(fact.step), fact.at, "completed", { output: fact.output });
        break;
      case "action.failed":
        close(steps.get(fact.step), fact.at, "failed", { error: fact.error });
        break;
      case "step.failed":
        close(step(fact, fact.node, "effect", "failed"), fact.at, "failed", { error: fact.error });
        break;
      case "compute.completed":
        step(fact, fact.node, "compute", "completed").attempts = 1;
        close(steps.get(fact.step), fact.at, "completed", { output: fact.output });
        break;
      case "compute.failed":
        step(fact, fact.node, "compute", "failed").attempts = 1;
        close(steps.get(fact.step), fact.at, "failed", { error: fact.error });
        break;
      case "reducer.applied":
        step(fact, fact.node, "reducer", "completed").attempts = 1;
        close(steps.get(fact.step), fact.at, "completed", { output: fact.state });
        if (fact.step.includes("~undo/")) compensated = true;
        break;
      case "state.read":
        close(step(fact, fact.node, "reducer", "completed"), fact.at, "completed", { output: fact.state });
        break;
      case "value.recorded":
        close(step(fact, "", "value", "completed"), fact.at, "completed", { output: fact.value });
        break;
      case "timer.set": {
        const draft = fact.purpose === "retry" ? steps.get(fact.step.slice(0, fact.step.lastIndexOf("@"))) : undefined;
        if (draft) {
          Object.assign(draft, { status: "retrying", due: fact.due });
          delete draft.endedAt;
        } else if (fact.purpose === "sleep") step(fact, "", "sleep", "waiting").due = fact.due;
        break;
      }
      case "timer.fired":
        if (steps.get(fact.step)?.kind === "sleep") close(steps.get(fact.step), fact.at, "completed", {});
        break;
      case "signal.awaited":
        step(fact, fact.name, "signal", "waiting");
        // Nobody waits for what lies there already.
        unread = unread.filter(({ name }) => name !== fact.name);
        break;
      case "signal.received": {
        const draft = [...steps.values()].find(({ kind, node, status }) => kind === "signal" && node === fact.name && status === "waiting");
        if (draft) take(fact, draft);
        else unread.push(fact);
        break;
      }
      case "signal.rejected": {
        // It was no answer after all: the wait goes on.
        const draft = taken.get(fact.seq);
        if (draft) {
          draft.status = "waiting";
          delete draft.output;
          delete draft.endedAt;
          const next = unread.find(({ name }) => name === fact.name);
          if (next) take(next, draft);
          unread = unread.filter((mail) => mail !== next);
        }
        break;
      }
      case "cancel.requested":
        // A cancel lifts a pause of the run, and gives up a step that waits for a person.
        pauses.clear();
        break;
      case "child.started":
        step(fact, fact.node, "workflow", "running").attempts++;
        if (fact.step.includes("~undo/")) compensated = true;
        break;
      case "child.ended":
        close(steps.get(fact.step), fact.at, fact.status === "completed" ? "completed" : "failed", {
          ...(fact.output === undefined ? {} : { output: fact.output }),
          ...(fact.error === undefined ? {} : { error: fact.error }),
        });
        break;
      case "run.paused": {
        pauses.set(fact.step ?? "", { code: fact.code, message: fact.message, ...(fact.step === undefined ? {} : { step: fact.step }) });
        const draft = fact.step === undefined ? undefined : steps.get(fact.step);
        if (draft) {
          draft.status = "paused";
          delete draft.output;
          delete draft.endedAt;
        }
        break;
      }
      case "run.resumed":
        for (const [step, pause] of [...pauses]) {
          if (fact.step === undefined ? pause.code === "IN_DOUBT" : fact.step !== step) continue;
          pauses.delete(step);
          const draft = steps.get(step);
          if (draft?.status === "paused") draft.status = "running";
          if (draft && fact.as === "output") close(draft, fact.at, "completed", { output: fact.output ?? null });
        }
        break;
      case "run.migrated":
        moved = { moved: { from: started?.version ?? "", at: fact.at } };
        if (started) started = repinned(started, fact);
        break;
      case "migration.refused":
        moved = {
          ...moved,
          notMoved: {
            version: fact.version,
            message: fact.message,
            ...(fact.because === undefined ? {} : { step: fact.because }),
            at: fact.at,
          },
        };
        break;
      case "run.compensating":
        compensating = true;
        break;
      case "run.completed":
        status = "completed";
        end = { output: fact.output, endedAt: fact.at, notUndone: fact.notUndone ?? [] };
        break;
      case "run.restarted":
        // This log is closed; the run goes on in the next one.
        status = "completed";
        end = { endedAt: fact.at };
        break;
      case "run.failed":
        status = "failed";
        end = {
          error: fact.error,
          endedAt: fact.at,
          notUndone: fact.notUndone,
          ...(fact.step === undefined ? {} : { failedStep: fact.step }),
        };
        break;
      case "run.cancelled":
        status = "cancelled";
        end = { endedAt: fact.at, notUndone: fact.notUndone };
        if (fact.reason !== undefined) end = { ...end, error: { code: "RUN_CANCELLED", message: fact.reason } };
        break;
    }
  }
  const last = facts.at(-1);
  const owner = owners.at(-1);
  if (owner && last && isFinal(last)) owners[owners.length - 1] = { ...owner, until: last.at };
  if (last && isFinal(last))
    for (const draft of steps.values()) {
      // What was still open when the run ended was given up with it.
      if (draft.status !== "completed" && draft.status !== "failed") close(draft, last.at, "aborted", {});
    }
  else if (last) {
    const pause = pauseOf(pauses);
    const busy = [...steps.values()].some((draft) => draft.status === "running" && draft.kind !== "workflow");
    status = pause ? "paused" : compensating ? "compensating" : acquisitions === 0 ? "pending" : busy ? "running" : "waiting";
  }
  const pause = pauseOf(pauses);
  return {
    runId,
    workflow: started?.workflow ?? "",
    version: started?.version ?? "",
    status,
    steps: [...steps.values()],
    input: started?.input ?? null,
    correlationId: started?.correlationId ?? "",
    startedAt: (forked ?? started)?.at ?? 0,
    ...(started?.startAt === undefined ? {} : { startAt: started.startAt }),
    ...(started?.scheduledAt === undefined ? {} : { scheduledAt: started.scheduledAt }),
    notUndone: [],
    epoch,
    retries,
    takeovers: Math.max(0, acquisitions - 1),
    owners,
    compensated,
    ...moved,
    ...(forked ? { forkedFrom: { runId: forked.from, ...(forked.step === undefined ? {} : { step: forked.step }) } } : {}),
    ...(pause && status === "paused" ? { paused: pause } : {}),
    ...end,
  };
}

/** What a person is told first: that the whole run is paused. */
function pauseOf<T>(pauses: ReadonlyMap<string, T>): T | undefined {
  return pauses.get("") ?? pauses.values().next().value;
}

/** What wakes a run that was put down. */
const news: ReadonlySet<Fact["type"]> = new Set<Fact["type"]>([
  ...(["timer.fired", "signal.received", "child.ended", "cancel.requested", "run.paused", "run.resumed"] as const),
  ...(["run.migrated", "migration.refused"] as const),
]);

function bringsNews(taken: Fact, next: Fact | undefined): boolean {
  return next !== undefined && next.at === taken.at && news.has(next.type);
}
