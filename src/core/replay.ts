/**
 * A run, folded from its facts one at a time, and what it wants next.
 *
 * R1 Everything here is a function of the program and the facts: a warm Replay and a cold one are equal.
 * R2 A fact that records a wish must match an open wish; one that does not is `HISTORY_MISMATCH`, thrown from `apply`,
 *    after which the Replay is spent.
 * R3 The open wishes are complete: whoever folds the same facts finds the same ones, in the same order.
 * R4 After each fact the fibers run until all wait (drain); no fiber runs at any other time.
 * R5 The last wish is `finish`, and it comes when every fiber has settled and every undo has ended (ending.ts).
 */
import { Beginning } from "./beginning.ts";
import { Cleanup } from "./cleanup.ts";
import type { Command } from "./command.ts";
import { builtIn, type RunDefaults } from "./defaults.ts";
import { Ending } from "./ending.ts";
import type { Fact, FactBody, FactOf, FinalBody, Mail, RunStatus, Started } from "./fact.ts";
import { failureOf, OnexError, StepError } from "./failure.ts";
import { Fiber, Names, type Settled } from "./fiber.ts";
import { Forgotten } from "./forgotten.ts";
import type { Json } from "./json.ts";
import { Mailbox } from "./mailbox.ts";
import { mismatch } from "./mismatch.ts";
import { type Callee, isPerformable, type Op, type OpSpec } from "./operation.ts";
import { type Performing, perform } from "./perform.ts";
import { isPin } from "./pin.ts";
import type { Closing, Owed, Scope } from "./scope.ts";
import type { News } from "./steps/desk.ts";
import { deadline, judge, statusOf, timedOut, type Verdict } from "./verdict.ts";
import { Wishes } from "./wishes.ts";

/** What is run: a generator over a recorded input. */
export interface Program {
  /** Undefined: as the defaults of the run say. */
  readonly onFailure: "compensate" | "stop" | undefined;
  begin(started: Started): Generator<unknown, unknown, unknown>;
  /** The returned value as it is recorded. Throws OnexError when it cannot be. */
  finish(returned: unknown): Json;
}

export interface ReplayOptions {
  readonly runId: string;
  /** The idempotency key of a step, of this run or of the one that a fork shares the step with. */
  keyOf(step: string, runId?: string): string;
  /** Runs user code under the guard against nondeterminism. */
  guard?<T>(advance: () => T): T;
  /** The workflow calls this child workflow: it travels with the call, not with a list of nodes. */
  met?(callee: Callee): void;
  /** Keeps the places of operations, to name a forgotten one; slow. */
  readonly tracing?: boolean;
}

/** More facts than this without `restart` end the run (API rule 20). */
export const maxFacts = 50_000;

export class Replay implements Performing {
  readonly runId: string;
  readonly tracing: boolean;
  readonly #program: Program;
  readonly #options: ReplayOptions;

  now = 0;
  seed = 0;
  priority = 100;
  defaults: RunDefaults = builtIn;
  /** Facts folded so far. */
  length = 0;

  readonly #wishes = new Wishes();
  readonly #news = new Map<string, News>();
  readonly #ready: Fiber[] = [];
  readonly #mail = new Mailbox();
  readonly #cleanup: Cleanup = new Cleanup(this);
  /** Steps that wait for a person. */
  readonly #paused = new Set<string>();

  #root: Fiber | undefined;
  /** Somebody has taken it. */
  #taken = false;
  readonly #beginning: Beginning;
  readonly #ending: Ending;
  #order = 0;
  #busy = 0;
  readonly #forgotten = new Forgotten();
  #final: FinalBody | undefined;
  #tooLong = false;

  constructor(program: Program, options: ReplayOptions) {
    this.#program = program;
    this.#options = options;
    this.runId = options.runId;
    this.tracing = options.tracing ?? false;
    this.#beginning = new Beginning((step, runId) => options.keyOf(step, runId));
    this.#ending = new Ending(this, () => program.onFailure ?? this.defaults.onFailure);
  }

  // ── folding ──

  /** Folds one fact. Throws OnexError `HISTORY_MISMATCH`. */
  apply(fact: Fact): void {
    this.length++;
    if (fact.at > this.now) this.now = fact.at;
    this.#fold(fact);
    if (this.length >= maxFacts && !this.#tooLong) this.#endTooLong();
    this.#drain();
  }

  #fold(fact: Fact): void {
    switch (fact.type) {
      case "run.started":
        return this.#start(fact);
      case "lease.acquired":
        this.#taken = true;
        for (const news of [...this.#news.values()]) news.taken?.();
        return;
      case "signal.received":
        return this.#received(fact);
      case "cancel.requested":
        if (!this.#taken) return this.#callOff({ how: "cancelled", reason: fact.reason });
        // A cancel lifts a pause of the whole run: what was done must be taken back.
        if (this.#wishes.letGo("")) this.#wishes.again();
        return this.stop({ how: "cancelled", reason: fact.reason });
      case "run.forked":
        return this.#forked(fact);
      case "run.resumed":
        return this.#resumed(fact);
      case "run.migrated":
        return this.#beginning.moved(fact);
      case "lease.raised":
      case "migration.refused":
        return;
      case "timer.fired":
        return this.#fired(fact);
      case "timer.set":
      case "signal.awaited":
      case "signal.rejected":
      case "undo.failed":
      case "run.compensating":
        return this.#recorded(fact);
      case "step.failed":
        if (this.#wishes.isOpen(recordKey(fact))) return this.#recorded(fact);
        break;
      case "run.paused":
        if (this.#wishes.isOpen(recordKey(fact))) return this.#recorded(fact);
        this.#wishes.hold(fact.step ?? "");
        return;
      case "run.completed":
      case "run.failed":
      case "run.cancelled":
      case "run.restarted":
        return this.#finished(fact);
    }
    const step = (fact as { readonly step: string }).step;
    const news = this.#news.get(step);
    if (!news) throw mismatch(fact, `does not come to a step "${step}" there; ${this.#wants()}`);
    if (fact.type === "action.dispatched") this.#beginning.begun(step, this.length);
    news.on(fact);
  }

  #forked(fact: FactOf<"run.forked">): void {
    if (!fact.owes) this.#ending.scope.disown(this.#order);
    for (const news of [...this.#news.values()]) news.forked?.(fact.at - fact.since);
    if (fact.input !== undefined) {
      const news = fact.step === undefined ? undefined : this.#news.get(fact.step);
      if (!news) throw mismatch(fact, `does not come to that step there; ${this.#wants()}`);
      news.on(fact);
    }
    // What was wished anew keeps its place: which of two wishes comes first may decide a race.
    this.#wishes.sortFresh();
  }

  #start(fact: Started): void {
    this.#beginning.started = fact;
    this.seed = fact.seed;
    this.priority = fact.priority;
    this.defaults = fact.defaults ?? builtIn;
    for (const mail of fact.mail ?? []) this.#mail.put(mail);
    if (fact.deadline !== undefined) this.wish({ type: "arm", key: `t:${deadline}`, step: deadline, due: fact.deadline });
    this.#root = new Fiber(this, this.#begin(fact), {
      names: new Names(""),
      scope: this.#ending.scope,
      ownsScope: false,
      undoing: false,
      onSettled: (settled) => this.#rootEnded(settled),
    });
  }

  /** Over before anybody took it: its program has wished and nothing was done, so nothing of it goes on, no `finally` either. */
  #callOff(verdict: Verdict): void {
    if (this.#ending.rootSettled) return;
    this.#wishes.clear();
    this.#news.clear();
    this.#mail.close();
    this.#ending.decide(verdict);
    this.#ending.rootEnded(() => verdict);
  }

  #begin(fact: Started): unknown {
    let generator: unknown;
    try {
      generator = this.guard(() => this.#program.begin(fact));
      if (isPerformable(generator)) return generator;
      generator = new OnexError("WORKFLOW_THREW", "a workflow is a generator: write `function*`");
    } catch (error) {
      generator = error;
    }
    const problem = generator;
    // biome-ignore lint/correctness/useYield: a workflow that fails at once
    return (function* () {
      throw problem;
    })();
  }

  #received(fact: Fact & { readonly type: "signal.received" }): void {
    this.#mail.put({ seq: fact.seq, name: fact.name, payload: fact.payload });
  }

  #fired(fact: Fact & { readonly type: "timer.fired" }): void {
    const { step } = fact;
    if (!this.armed.has(step)) throw mismatch(fact, `has no timer "${step}" set; ${this.#wants()}`);
    this.withdraw(`t:${step}`);
    if (step === deadline) return this.#taken ? this.stop(timedOut) : this.#callOff(timedOut);
    this.#news.get(step)?.on(fact);
  }

  #resumed(fact: Fact & { readonly type: "run.resumed" }): void {
    if (fact.step !== undefined) this.#news.get(fact.step)?.on(fact);
    else for (const step of [...this.#paused]) this.#news.get(step)?.on({ ...fact, step });
    if (fact.step === undefined) this.#wishes.letAllGo();
    else this.#wishes.letGo(fact.step);
    this.#wishes.again();
  }

  #recorded(fact: Fact): void {
    const key = recordKey(fact);
    const command = this.#wishes.command(key);
    if (command?.type !== "record") throw mismatch(fact, `does not decide that there; ${this.#wants()}`);
    this.withdraw(key);
    if (fact.type === "timer.set" || fact.type === "signal.awaited") this.#news.get(fact.step)?.on(fact);
  }

  #finished(fact: Fact & FinalBody): void {
    const command = this.#wishes.command("finish");
    if (command?.type !== "finish" || command.fact.type !== fact.type)
      throw mismatch(fact, `does not end like that there; ${this.#wants()}`);
    this.#final = fact;
    this.#wishes.clear();
  }

  #wants(): string {
    const wishes = this.open()
      .filter((command) => command.type !== "arm" && command.type !== "deliver")
      .slice(0, 3);
    if (wishes.length === 0) return this.#ending.rootSettled ? "it has ended there" : "it waits there";
    return `it wants ${wishes.map((command) => ("step" in command ? `${command.type} of step "${command.step}"` : command.type)).join(", ")}`;
  }

  #drain(): void {
    // The queue grows while it is worked off; an index is cheaper than shift() with thousands of branches.
    for (let i = 0; i < this.#ready.length; i++) (this.#ready[i] as Fiber).advance();
    this.#ready.length = 0;
  }

  // ── what it wants ──

  /** The wishes that are new since the last call and still stand. */
  take(): Command[] {
    return this.#wishes.take();
  }
  /** Whether `take` would answer anything. */
  get wishes(): boolean {
    return this.#wishes.anyFresh;
  }
  /** Every open wish, oldest first. */
  open(): Command[] {
    return this.#wishes.open();
  }
  /** Whether this news is still waited for; a late answer or a timer that was withdrawn is not. */
  expects(fact: FactBody): boolean {
    if (this.#final) return false;
    switch (fact.type) {
      case "timer.fired":
        return this.armed.has(fact.step);
      case "action.completed":
      case "action.failed":
      case "action.progressed":
      case "action.item":
      case "compute.completed":
      case "compute.failed":
      case "child.ended":
        return this.#news.get(fact.step)?.awaits?.(fact) ?? false;
      case "run.paused":
        // Pausing twice is one pause.
        return fact.step !== undefined || !this.held;
      case "run.resumed":
        return fact.step === undefined || this.#news.has(fact.step);
      case "run.migrated":
        return this.started !== undefined && !isPin(fact, this.started);
      default:
        return true;
    }
  }
  /** Timers that are set, by step. */
  get armed(): ReadonlyMap<string, number> {
    return this.#wishes.armed;
  }
  get started(): Started | undefined {
    return this.#beginning.started;
  }
  /** The end of its time, while that still counts: not once it is stopped or only takes back. */
  get deadline(): number | undefined {
    return this.armed.get(deadline);
  }
  get final(): FinalBody | undefined {
    return this.#final;
  }
  get paused(): boolean {
    return this.#paused.size > 0 || this.#wishes.held;
  }
  /** The whole run is paused: nothing new is begun until it is resumed. */
  get held(): boolean {
    return this.#wishes.holds("");
  }
  get status(): RunStatus {
    if (this.#final) return statusOf(this.#final);
    if (this.paused) return "paused";
    if (this.#ending.compensating) return "compensating";
    return this.#busy > 0 ? "running" : "waiting";
  }
  /** Steps under way whose answer comes from a call. */
  get calls(): number {
    return this.#busy;
  }
  /** Names in `stepInputs` that no step had so far. */
  get unusedInputs(): string[] {
    return this.#beginning.unusedInputs;
  }
  /** Unread signals. */
  get mailbox(): Mail[] {
    return this.#mail.unread();
  }
  /** Places of forgotten operations, when tracing. */
  get forgottenPlaces(): readonly string[] {
    return this.#forgotten.places;
  }
  /** Everything that the ended run would owe if its parent took it back, newest first. */
  owed(): Owed[] {
    return [...this.#ending.scope.owed].sort((a, b) => b.order - a.order);
  }

  // ── Desk: what steps use ──

  keyOf(step: string): string {
    return this.#beginning.keyOf(step);
  }
  get round(): number {
    return this.#beginning.round;
  }
  nextOrder(): number {
    return this.#order++;
  }
  expect(step: string, news: News): void {
    this.#news.set(step, news);
  }
  forget(step: string): void {
    this.#news.delete(step);
    this.#wishes.letGo(step);
  }
  wish(command: Command): void {
    this.#wishes.add(command);
  }
  withdraw(key: string): void {
    this.#wishes.withdraw(key);
  }
  isOpen(key: string): boolean {
    return this.#wishes.isOpen(key);
  }
  /** The open wish of that key. */
  command(key: string): Command | undefined {
    return this.#wishes.command(key);
  }
  /** Whether a wish stands to begin such a step. */
  wants(isStep: (step: string) => boolean): boolean {
    return this.#wishes.wants(isStep);
  }
  record(fact: FactBody): void {
    this.wish({ type: "record", key: recordKey(fact), fact });
  }
  busy(change: 1 | -1): void {
    this.#busy += change;
  }
  pause(step: string, paused: boolean): void {
    if (paused) this.#paused.add(step);
    else this.#paused.delete(step);
  }
  mail(name: string, waiter: () => void): Mail | undefined {
    return this.#mail.take(name, waiter);
  }
  unwait(name: string, waiter: () => void): void {
    this.#mail.unwait(name, waiter);
  }
  stepInput(step: string, input: Json): Json {
    return this.#beginning.stepInput(step, input);
  }

  // ── Driver: what fibers use ──

  ready(fiber: Fiber): void {
    this.#ready.push(fiber);
  }
  guard<T>(advance: () => T): T {
    return this.#options.guard ? this.#options.guard(advance) : advance();
  }
  forgotten(count: number, places: Map<Op, string> | undefined): void {
    this.#forgotten.add(count, places);
  }
  cleaning(fiber: Fiber): void {
    this.#cleanup.begin(fiber);
  }
  cleaned(fiber: Fiber): void {
    this.#cleanup.end(fiber);
  }

  closeScope(scope: Scope, how: Closing): void {
    this.#ending.undo(scope.close(how));
  }
  undoFailed(step: string, error: unknown): void {
    this.#ending.undoFailed(step, error);
  }

  acting(): void {
    const { maxActions } = this.defaults;
    if (maxActions === undefined || ++this.#actions <= maxActions) return;
    const message = `the run wants more calls of nodes than maxActionsPerWorkflow = ${maxActions}: raise it, or go on by \`restart(input)\``;
    this.stop({ how: "failed", error: { code: "ACTIONS_EXHAUSTED", message } });
  }
  #actions = 0;

  met(callee: Callee): void {
    this.#options.met?.(callee);
  }

  begin(fiber: Fiber, op: Op): void {
    const spec = op.begin();
    try {
      fiber.waiting = perform(this, fiber, spec);
    } catch (error) {
      fiber.fail(
        error instanceof OnexError
          ? new StepError(failureOf(error, error.code), { step: fiber.names.prefix, node: nodeOf(spec), attempts: 0 })
          : error,
      );
      return;
    }
    // What has settled already while it was begun waits no more.
    if (fiber.queued) fiber.waiting = undefined;
    else if (fiber.cancelled && !fiber.returning) fiber.waiting?.cancel();
  }

  // ── the end ──

  stop(verdict: Verdict): void {
    if (!this.#ending.decide(verdict)) return;
    this.#root?.cancel(verdict.how === "restarted" ? "success" : "failure");
  }

  #endTooLong(): void {
    this.#tooLong = true;
    this.stop({
      how: "failed",
      error: { code: "HISTORY_TOO_LONG", message: `the run has ${maxFacts} facts: a loop without end goes on by \`restart(input)\`` },
    });
  }

  #rootEnded(settled: Settled): void {
    this.withdraw(`t:${deadline}`);
    this.#cleanup.stop();
    this.#ending.rootEnded(() =>
      settled.how === "ok" && this.#forgotten.any
        ? { how: "failed", error: { code: "OPERATION_NOT_PERFORMED", message: this.#forgotten.message } }
        : judge(settled, (returned) => this.#program.finish(returned)),
    );
  }
}

/** The key under which the wish to record a fact stands open. */
function recordKey(fact: FactBody): string {
  if (fact.type === "signal.rejected") return `r:${fact.type}:${fact.seq}`;
  return `r:${fact.type}:${"step" in fact ? (fact.step ?? "") : ""}`;
}

function nodeOf(spec: OpSpec): string {
  return spec.kind === "call" || spec.kind === "read" || spec.kind === "stream" ? spec.callee.name : spec.kind;
}
