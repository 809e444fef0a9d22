/**
 * The calls of one run: from the wish, past the gate, to the answer; and its computes that are asked elsewhere.
 *
 * L1 A call is made, asked for items or aborted only after its turn was accepted (`afterAccept`).
 * L2 A call that is given up before it was made is answered here, as one that did not happen.
 * L3 What waits at the gate, or is in flight when the run is dropped, stays a wish or in doubt in its log.
 */
import type { CommandOf } from "../core/command.ts";
import type { FactBody } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import type { Replay } from "../core/replay.ts";
import type { Checked } from "../node/schema.ts";
import { actionIdOf } from "./action.ts";
import { Ask } from "./ask.ts";
import { Call, type CallHost } from "./call.ts";
import { tryInput } from "./inline.ts";
import type { LetGo } from "./let-go.ts";
import type { Runtime } from "./runtime.ts";
import { Turnstile } from "./turnstile.ts";

/** The run that they belong to. */
export interface Caller {
  readonly id: string;
  readonly replay: Replay;
  readonly epoch: number;
  readonly gone: boolean;
  arrive(body: FactBody): void;
  raise(seen: number): Promise<boolean>;
  stir(): void;
}

/** What a turn asks of calls. */
export interface CallsOutbox {
  readonly deliver: { readonly command: CommandOf<"deliver">; readonly decoded: Checked | undefined }[];
  readonly pull: Set<CommandOf<"pull">>;
  readonly abort: CommandOf<"abort">[];
  /** Computes that are asked elsewhere. */
  readonly ask: CommandOf<"compute">[];
}

export class RunCalls {
  readonly turnstile: Turnstile;
  readonly #runtime: Runtime;
  readonly #run: Caller;
  readonly #host: CallHost;
  readonly #calls = new Map<string, Call>();
  readonly #asks = new Map<string, Ask>();
  readonly #decoded = new Map<string, Checked>();

  constructor(runtime: Runtime, run: Caller) {
    this.#runtime = runtime;
    this.#run = run;
    this.turnstile = new Turnstile(runtime.gate, {
      wants: (wish) => !run.gone && run.replay.isOpen(wish.key),
      stir: () => run.stir(),
    });
    this.#host = this.#hostOf(run);
  }

  #hostOf(run: Caller): CallHost {
    const { turnstile } = this;
    const runtime = this.#runtime;
    const calls = this.#calls;
    return {
      runId: run.id,
      get correlationId() {
        return run.replay.started?.correlationId ?? run.id;
      },
      leaseId: runtime.leaseId,
      get epoch() {
        return run.epoch;
      },
      get started() {
        return run.replay.started;
      },
      log: runtime.secrets.logOf(runtime.world.log, run.id),
      clock: runtime.world.clock,
      client: runtime.client,
      services: runtime.services,
      abortGraceMs: runtime.settings.abortGraceMs,
      maxValueBytes: runtime.settings.maxValueBytes,
      now: () => runtime.store.now(),
      attempt: (delivery) => runtime.tracing.attempt(run, delivery),
      raise: (seen) => run.raise(seen),
      keyOf: (step) => run.replay.keyOf(step),
      actionIdOf: (step, attempt) => actionIdOf(runtime.world.hash, run.replay.keyOf(step), attempt),
      report: (call, body) => {
        turnstile.heard(call.step, body);
        const last = body.type !== "action.progressed" && body.type !== "action.item";
        if (last || calls.get(call.step) === call) run.arrive(body);
        if (runtime.closing) this.rest("ORCHESTRATOR_CLOSED");
      },
      over: (call) => {
        if (calls.get(call.step) === call) calls.delete(call.step);
        runtime.callOver();
      },
    };
  }

  get inFlight(): number {
    return this.#calls.size;
  }
  get none(): boolean {
    return this.#calls.size + this.#asks.size === 0;
  }
  /** All of them may be let go: streams that nothing is asked of, and that are asked again later. */
  get mayRest(): boolean {
    return this.#asks.size === 0 && [...this.#calls.values()].every((call) => call.mayRest);
  }
  /** Leaves streams that nothing is asked of where they stand, and computes that are not sent now. */
  rest(why: LetGo): void {
    for (const call of [...this.#calls.values()]) if (call.idle) call.drop(why);
    for (const ask of [...this.#asks.values()]) if (ask.idle) ask.drop(why);
  }
  /** The run goes on with another fold: what waits at the gate, and computes that are asked elsewhere, are wished for anew. */
  renew(): void {
    this.turnstile.hold();
    for (const ask of [...this.#asks.values()]) ask.cancel();
  }
  /** Lets go of everything: calls are left in doubt. */
  drop(why: LetGo): void {
    for (const call of [...this.#calls.values()]) call.drop(why);
    this.#calls.clear();
    this.turnstile.drop();
    for (const ask of [...this.#asks.values()]) ask.drop(why);
  }

  /** Notes the intent, when it may go. */
  dispatch(wish: CommandOf<"dispatch">, apply: (body: FactBody, input?: Json) => void, now: number): void {
    const refused = tryInput(this.#runtime, wish);
    const admitted = refused?.missing !== undefined || refused?.error || this.turnstile.admits(wish, refused?.decoded);
    if (admitted === false) return;
    if (refused && !refused.decoded) this.turnstile.giveBack(wish);
    if (refused?.missing !== undefined)
      return apply({
        type: "run.paused",
        code: "SERVICE_MISSING",
        step: wish.step,
        message: `${wish.callee.name} uses the service "${refused.missing}", which this process does not provide: add it to \`provide\`, start again and resume the run`,
      });
    if (admitted !== true)
      return apply(
        { type: "step.failed", step: wish.step, node: wish.callee.name, attempts: wish.attempt - 1, error: admitted },
        wish.input,
      );
    this.turnstile.sent(wish.step);
    if (refused?.decoded) this.#decoded.set(wish.step, refused.decoded);
    apply({
      type: "action.dispatched",
      step: wish.step,
      attempt: wish.attempt,
      node: wish.callee.name,
      input: wish.input,
      notAfter: now + wish.timeoutMs,
    });
  }

  /** Has the call made once the turn is accepted, when it may go. */
  deliver(wish: CommandOf<"deliver">, out: CallsOutbox): void {
    const { step, attempt } = wish;
    // The first delivery has the pass of its intent; one after a crash asks for its own.
    const admitted = wish.delivery === 1 || this.turnstile.admits(wish);
    if (admitted === false) return;
    if (admitted !== true)
      return this.#run.arrive({ type: "action.failed", step, attempt, error: admitted, outcome: "unknown", final: true });
    this.turnstile.sent(step);
    out.deliver.push({ command: wish, decoded: this.#decoded.get(step) });
    this.#decoded.delete(step);
    // What was asked of the call before is asked of the one that takes its place, however long it has waited at the gate.
    const asked = wish.delivery > 1 ? this.#run.replay.command(`p:${step}`) : undefined;
    if (asked?.type === "pull") out.pull.add(asked);
  }

  /** L1. */
  afterAccept(out: CallsOutbox): void {
    const { replay } = this.#run;
    for (const { command, decoded } of out.deliver) {
      if (!replay.isOpen(command.key)) continue;
      if (command.delivery === 1 && out.abort.some(({ step, attempt }) => step === command.step && attempt === command.attempt)) {
        // Its branch was given up in the turn of its intent: it is not sent, so it did not happen.
        this.#run.arrive({
          type: "action.failed",
          step: command.step,
          attempt: command.attempt,
          error: { code: "CANCELLED", message: "cancelled before it was sent" },
          outcome: "none",
        });
        continue;
      }
      const call = new Call(this.#host, command, this.#runtime.store.now() + command.timeoutMs);
      this.#calls.set(command.step, call);
      this.turnstile.begins(command.step);
      this.#runtime.deliver(call, decoded, command);
    }
    for (const { key, step, index } of out.pull) if (replay.isOpen(key)) this.#calls.get(step)?.pull(index);
    for (const { command } of out.deliver) if (!this.#calls.has(command.step)) this.turnstile.leave(command.step);
    for (const { step, attempt } of out.abort) {
      const call = this.#calls.get(step);
      if (call) call.abort({ code: "CANCELLED", message: "the step was cancelled" });
      else
        this.#run.arrive({
          type: "action.failed",
          step,
          attempt,
          error: { code: "CANCELLED", message: "cancelled before it was sent" },
          outcome: "unknown",
        });
    }
    this.#ask(out.ask);
  }

  /** Asks for computes, and gives up those whose branch was given up. */
  #ask(wishes: readonly CommandOf<"compute">[]): void {
    const { replay } = this.#run;
    for (const ask of this.#asks.values()) if (!replay.isOpen(ask.key)) ask.cancel();
    for (const wish of wishes) {
      if (!replay.isOpen(wish.key)) continue;
      const ask = new Ask(this.#host, wish, {
        gate: this.#runtime.gate,
        priority: replay.priority,
        answer: (fact) => this.#run.arrive(fact),
        over: () => {
          if (this.#asks.get(wish.step) === ask) this.#asks.delete(wish.step);
          this.#runtime.callOver();
        },
      });
      this.#asks.set(wish.step, ask);
      this.#runtime.deliver(ask, undefined, { priority: replay.priority, delivery: 1 });
    }
  }
}
