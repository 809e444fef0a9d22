/**
 * A run that this process drives: news is folded into turns, and what follows from a turn happens once it is accepted.
 *
 *   news → fold → wishes → facts … → one turn → accepted → calls, timers, children, answers
 *
 * A1 At most one turn is on its way; what arrives meanwhile makes the next.
 * A2 Nothing derived from a turn leaves before it is accepted: calls, children, events and answers wait in `Outbox`.
 * A3 A turn closes at 256 facts, 1 MiB or 8 ms; the rest of its wishes make the next turn.
 * A4 While the process closes or the run is paused, answers are still written and nothing new is begun.
 * A5 A call that the gate refuses is a wish that stays open; only one that may go gets an intent.
 * A6 On a store for many owners, what a fold needs to read is read before, with no turn on its way (`#fetch`); and events for
 *    reducers make a turn of their own, which is folded when it is accepted (`#reduce`).
 */
import type { Command, CommandOf } from "../core/command.ts";
import { type Fact, type FactBody, type FinalBody, isFinal, type RunStatus } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import type { Replay } from "../core/replay.ts";
import type { WorkflowContract } from "../node/contract.ts";
import type { Appended, NewRun, TurnRow } from "../store/store.ts";
import { child, type Folded, successor } from "./begin.ts";
import { foldOf } from "./fold.ts";
import { placed } from "./forgotten.ts";
import { freshValue, runCompute, runReducer } from "./inline.ts";
import type { LetGo } from "./let-go.ts";
import { childEnded } from "./mail.ts";
import { move } from "./migrate.ts";
import { Raises, raiseOf } from "./raises.ts";
import { RunCalls } from "./run-calls.ts";
import type { Runtime } from "./runtime.ts";
import { hasTexts, TurnTexts } from "./secrets.ts";
import { emptyOutbox, factLength, type Outbox, type Position, turnOf } from "./turn.ts";
import type { Prepared, Writing } from "./writer.ts";

const maxTurnFacts = 256;
const maxTurnLength = 1024 * 1024;
const maxTurnMs = 8;
/** A timer that is further away is put into the engine's heap by its sweep, so that ended runs leave nothing behind. */
export const nearMs = 60_000;

/** Wishes that stand while somebody carries them out. */
const inFlight: ReadonlySet<Command["type"]> = new Set(["deliver", "pull", "abort", "cancel-child"]);

interface Arrival {
  readonly body: FactBody;
  /** Number of the message that brought it. */
  readonly seq: number | undefined;
}

export class ActiveRun implements Writing {
  readonly id: string;
  row: NewRun;
  /** A run that is moved to another definition goes on with another fold. */
  replay: Replay;
  folded: Folded;
  readonly #runtime: Runtime;
  #at: Position;
  #taking: boolean;
  #status: RunStatus;
  #mailRead: number;
  #mailSaved: number;
  readonly #arrived: Arrival[] = [];
  #backlog: Command[] = [];
  readonly #calls: RunCalls;
  readonly #raises = new Raises();
  readonly #near = new Set<string>();
  /** Child runs under way, by step. */
  readonly children: Map<string, string>;
  #texts: TurnTexts | undefined;
  #onItsWay = false;
  /** A6: it stands still until what it needs is read. */
  #fetching = false;
  #gone = false;

  constructor(
    runtime: Runtime,
    run: NewRun,
    folded: Folded,
    at: Position,
    more: { readonly taking: boolean; readonly status: RunStatus; readonly children?: Map<string, string> },
  ) {
    this.#runtime = runtime;
    this.id = run.id;
    this.row = run;
    const { replay } = folded;
    this.folded = folded;
    this.replay = replay;
    this.#at = at;
    this.#taking = more.taking;
    this.#status = more.status;
    this.#mailRead = at.mailGot;
    this.#mailSaved = at.mailGot;
    this.children = more.children ?? new Map();
    if (at.runNo !== undefined) runtime.secrets.join(run.id, at.runNo);
    this.#calls = new RunCalls(runtime, this);
  }

  /** No longer driven here. */
  get gone(): boolean {
    return this.#gone;
  }
  get runNo(): number | undefined {
    return this.#at.runNo;
  }
  get epoch(): number {
    return this.#at.epoch;
  }
  /** The last turn that was accepted. */
  get lastTurn(): number {
    return this.#at.turn - 1;
  }
  /** Number of the last message that accepted turns have read. */
  get mailSaved(): number {
    return this.#mailSaved;
  }
  get mailRead(): number {
    return this.#mailRead;
  }
  get callsInFlight(): number {
    return this.#calls.inFlight;
  }
  /** Nothing to fold and nothing on its way. */
  get quiet(): boolean {
    return !this.#onItsWay && !this.#fetching && this.#arrived.length === 0 && !this.#hasWishes;
  }

  /** Waits for nothing that comes soon: no call, no timer due before it would be put down. */
  get restful(): boolean {
    if (!this.#calls.none) return false;
    const next = this.#nextDue();
    return next === undefined || next - this.#runtime.store.now() > this.#runtime.settings.parkAfterMs;
  }

  /** News about the run; `seq` is the number of the message that brought it. */
  arrive(body: FactBody, seq?: number): void {
    if (this.#gone) return;
    if (seq !== undefined) {
      if (seq <= this.#mailRead) return;
      this.#mailRead = seq;
    }
    this.#arrived.push({ body, seq });
    this.stir();
  }
  /** Goes on above an epoch that a far side has seen; answers whether it does. */
  raise(seen: number): Promise<boolean> {
    return this.#raises.above(seen, this.epoch, (fact) => this.arrive(fact));
  }
  /** Asks to be prepared in the next flush. */
  stir(): void {
    if (!this.#onItsWay && !this.#fetching && !this.#gone) this.#runtime.writer.add(this);
  }
  timerFired(step: string, due: number): void {
    this.#near.delete(step);
    if (this.replay.armed.get(step) === due) this.arrive({ type: "timer.fired", step });
  }
  /** Puts timers that are due soon into the engine's heap. */
  sweep(): void {
    if (this.#gone || this.#at.runNo === undefined) return;
    const horizon = this.#runtime.store.now() + nearMs;
    for (const [step, due] of this.replay.armed)
      if (due <= horizon && !this.#near.has(step)) {
        this.#near.add(step);
        this.#runtime.wake(this.#at.runNo as number, step, due);
      }
  }
  /** A4: streams that nothing is asked of are left where they stand; nothing more will be asked of them here. */
  rest(why: LetGo): void {
    this.#calls.rest(why);
  }
  /** Forgets the run: its calls are left in doubt. */
  drop(why: LetGo): void {
    this.#gone = true;
    this.#calls.drop(why);
    this.#raises.drop();
  }

  // ── one turn ──

  prepare(): Prepared | undefined {
    if (this.#onItsWay || this.#fetching || this.#gone) return undefined;
    try {
      return this.#reduce() ?? this.#fold();
    } catch (error) {
      this.#runtime.runs.broken(this, error);
      return undefined;
    }
  }

  #fold(): Prepared | undefined {
    const { store, world } = this.#runtime;
    const now = Math.max(store.now(), this.replay.now);
    const until = world.clock.elapsed() + maxTurnMs;
    const facts: Fact[] = [];
    const out = emptyOutbox();
    let length = 0;
    const full = () => facts.length >= maxTurnFacts || length >= maxTurnLength;
    this.#texts = undefined;
    const apply = (body: FactBody, input?: Json): void => {
      length += factLength(body, maxTurnLength);
      const fact = Object.assign(this.#clean(body, facts, input), { at: now });
      this.replay.apply(fact);
      facts.push(fact);
    };
    let mailGot = this.#mailSaved;
    let steps = 0;
    folding: for (;;) {
      while (this.#arrived.length > 0 && !full()) {
        if (this.#fetch((this.#arrived[0] as Arrival).body, facts)) break folding;
        const { body, seq } = this.#arrived.shift() as Arrival;
        if (seq !== undefined) mailGot = seq;
        if (body.type === "child.ended") this.children.delete(body.step);
        const raise = raiseOf(body);
        if (!this.replay.expects(body) || (raise !== undefined && raise <= this.epoch)) continue;
        apply(body.type === "run.migrated" ? this.#moved(body, facts) : body);
        if (raise !== undefined) break folding;
      }
      if (this.replay.held) this.#calls.turnstile.hold();
      if (this.#runtime.closing || this.replay.held) break;
      const granted = this.#calls.turnstile.take();
      const fresh = this.replay.take();
      // Nearly always there are none but the new ones.
      const wishes = this.#backlog.length + granted.length === 0 ? fresh : [...this.#backlog, ...granted, ...fresh];
      if (this.#backlog.length > 0) this.#backlog = [];
      if (wishes.length === 0 && this.#arrived.length === 0) break;
      for (let i = 0; i < wishes.length; i++) {
        if (full() || ((++steps & 15) === 0 && world.clock.elapsed() > until)) {
          this.#backlog = wishes.slice(i);
          break;
        }
        const wish = wishes[i] as Command;
        if (this.#fetch(wish, facts)) {
          this.#backlog = wishes.slice(i);
          break folding;
        }
        if (this.replay.isOpen(wish.key)) this.#perform(wish, apply, out, now, facts);
        else this.#calls.turnstile.giveBack(wish);
      }
      if (this.#backlog.length > 0 || full()) break;
    }
    this.#backlog.push(...out.reduce);
    if (facts.length > 0) return this.#write(facts, out, now, mailGot);
    this.#afterAccept(out);
    // Thousands of wishes that all wait at the gate fill a turn's time and leave no fact.
    if (this.#backlog.length > 0 && !this.#runtime.closing && !this.replay.held) this.stir();
    return undefined;
  }

  /**
   * A6. Reads what `news` needs and is not at hand; answers whether the fold must wait. What was folded before makes a turn of
   * its own: the next fold begins with this news, and reads what it needs with no turn on its way.
   */
  #fetch(news: Command | FactBody, facts: readonly Fact[]): boolean {
    const read = this.#runtime.atHand.before(this.id, this.#at.turn, news);
    if (read === undefined) return false;
    if (facts.length > 0) return true;
    this.#fetching = true;
    read().then(
      () => {
        this.#fetching = false;
        this.stir();
      },
      (error) => {
        this.#fetching = false;
        if (!this.#gone) this.#runtime.runs.broken(this, error);
      },
    );
    return true;
  }

  /** A6. The turn of the events that wait for it. */
  #reduce(): Prepared | undefined {
    if (this.replay.held || this.#runtime.closing || this.#at.runNo === undefined) return undefined;
    const isReduce = (wish: Command): wish is CommandOf<"reduce"> => wish.type === "reduce";
    if (this.#runtime.store.owners === "one" || !this.#backlog.some(isReduce)) return undefined;
    const wishes = this.#backlog
      .filter(isReduce)
      .filter((wish) => this.replay.isOpen(wish.key))
      .slice(0, maxTurnFacts);
    const taken = new Set<Command>(wishes);
    this.#backlog = this.#backlog.filter((wish) => !taken.has(wish) && (!isReduce(wish) || this.replay.isOpen(wish.key)));
    if (wishes.length === 0) return undefined;
    const at = this.#at;
    const now = Math.max(this.#runtime.store.now(), this.replay.now);
    const fold = foldOf(this.#runtime, wishes, (body, input, before) => {
      if (before.length === 0) this.#texts = undefined;
      return Object.assign(this.#clean(body, before, input), { at: now });
    });
    const next = at.pos + wishes.length;
    const { turn, after, epoch, pos } = at;
    this.#onItsWay = true;
    return {
      write: { run: at.runNo as number, turn, after, epoch, pos, next, at: now, final: false, facts: "", fold },
      accepted: (answer) => {
        this.#onItsWay = false;
        if (!answer.accepted) return this.#runtime.runs.refused(this, answer, false);
        this.#at = { ...at, turn: at.turn + 1, after: epoch, pos: next };
        try {
          const facts = this.#runtime.decode(answer.runNo, answer.folded as Pick<TurnRow, "facts" | "blobs">);
          for (const fact of facts) this.replay.apply(fact);
          this.#runtime.runs.accepted(this, facts);
          this.stir();
        } catch (error) {
          this.#runtime.runs.broken(this, error);
        }
      },
    };
  }

  /** Goes on with another definition from the next fact on, or says why it cannot. */
  #moved(asked: FactBody & { readonly type: "run.migrated" }, turn: readonly Fact[]): FactBody {
    const before = this.#at.runNo === undefined ? [] : this.#runtime.atHand.facts(this.id);
    const made = move(this.#runtime, this.id, [...before, ...turn], asked);
    if ("refused" in made) return made.refused;
    const old = this.replay;
    const fresh = new Set([...this.#backlog, ...old.take()].map(({ key }) => key));
    this.#calls.renew();
    made.folded.log.follow(this.folded.log);
    this.folded = made.folded;
    this.replay = made.folded.replay;
    this.row = { ...this.row, version: asked.version };
    // What is in flight is waited for as before; all else is wished for anew.
    this.#backlog = this.replay.take().filter(({ type, key }) => !(inFlight.has(type) && old.isOpen(key) && !fresh.has(key)));
    return asked;
  }

  /** Few facts hold texts, so what cleans them is made for the turn that has one. */
  #clean<F extends FactBody>(body: F, turn: readonly Fact[], input?: Json): F {
    if (!hasTexts(body)) return body;
    this.#texts ??= new TurnTexts(this.#runtime.secrets, this.id, turn);
    return this.#texts.clean(body, input);
  }

  #perform(wish: Command, apply: (body: FactBody, input?: Json) => void, out: Outbox, now: number, facts: readonly Fact[]): void {
    const runtime = this.#runtime;
    switch (wish.type) {
      case "record":
        return apply(wish.fact);
      case "value":
        return apply({ type: "value.recorded", step: wish.step, value: freshValue(runtime.world, wish.of, now) });
      case "compute":
        if (runtime.client.isRemote(wish.callee)) return void out.ask.push(wish);
        return apply(runCompute(runtime, wish), wish.input);
      case "reduce": {
        if (runtime.store.owners === "many") return void out.reduce.push(wish);
        const { fact, state } = runReducer(runtime, wish);
        if (state) out.states.push(state);
        return apply(fact, wish.input);
      }
      case "read":
        return apply({
          type: "state.read",
          step: wish.step,
          node: wish.callee.name,
          key: wish.stateKey,
          state: runtime.states.read(wish.callee, wish.stateKey, this.id),
        });
      case "dispatch":
        return this.#calls.dispatch(wish, apply, now);
      case "deliver":
        return this.#calls.deliver(wish, out);
      case "pull":
        out.pull.add(wish);
        return;
      case "abort":
        out.abort.push(wish);
        return;
      case "start-child":
        return this.#startChild(wish, apply, out, now);
      case "cancel-child":
        out.messages.push({
          runId: wish.runId,
          messageId: `${this.id}/${wish.step}/cancel`,
          kind: "cancel",
          body: JSON.stringify({ reason: `its parent ${this.id} gave it up` }),
        });
        return;
      case "arm":
        out.armed = true;
        return;
      case "finish":
        return this.#finish(wish.fact, apply, out, now, facts);
    }
  }

  #startChild(wish: CommandOf<"start-child">, apply: (body: FactBody, input?: Json) => void, out: Outbox, now: number): void {
    const begun = child(this.#runtime, this, wish, now);
    if ("error" in begun)
      return apply({ type: "step.failed", step: wish.step, node: wish.callee.name, attempts: 0, error: begun.error }, wish.input);
    const { plan } = wish.callee as WorkflowContract;
    if (plan) this.#runtime.keep(plan);
    out.children.push({ ...begun, step: wish.step });
    this.children.set(wish.step, wish.runId);
    apply({ type: "child.started", step: wish.step, runId: wish.runId, node: wish.callee.name, input: wish.input });
  }

  #finish(fact: FinalBody, apply: (body: FactBody) => void, out: Outbox, now: number, facts: readonly Fact[]): void {
    const forgot = fact.type === "run.failed" && fact.error.code === "OPERATION_NOT_PERFORMED";
    const final = this.#clean(forgot ? placed(this.#runtime, this, fact, facts) : fact, facts);
    const started = this.replay.started;
    if (final.type === "run.restarted") out.successor = successor(this.#runtime, this, final.input, now);
    else if (started?.parent)
      out.messages.push({
        runId: started.parent.runId,
        messageId: `${this.id}/ended`,
        kind: "child",
        body: JSON.stringify(childEnded(started.parent.step, this.id, final, started.workflow)),
      });
    apply(final);
  }

  #write(facts: Fact[], out: Outbox, now: number, mailGot: number): Prepared {
    const at = this.#at;
    const last = facts.at(-1) as Fact;
    const final = isFinal(last);
    const status = final && last.type === "run.restarted" ? "completed" : this.replay.status;
    const park = final || !this.#mayPark(out) ? undefined : { wakeAt: this.#nextDue() ?? null };
    if (park) this.rest("PAUSED");
    const parks = park !== undefined && (park.wakeAt === null || park.wakeAt - now > this.#runtime.settings.parkAfterMs);
    // The last turn closes the epoch; one that takes the run as well has a fresh epoch that nobody else ever had.
    const epoch = final && !this.#taking ? at.epoch + 1 : (raiseOf(last) ?? at.epoch);
    const moved = facts.some(({ type }) => type === "run.migrated") ? { version: this.row.version } : {};
    const changed = final || parks || status !== this.#status || mailGot !== this.#mailSaved;
    const row = changed ? { status, mailGot, ...moved, ...(parks ? { park } : {}) } : undefined;
    const write = turnOf({ at, run: this.row, taking: this.#taking, epoch, now, final, facts, row }, out);
    this.#onItsWay = true;
    return {
      write,
      accepted: (answer) => {
        this.#onItsWay = false;
        if (!answer.accepted) return this.#runtime.runs.refused(this, answer, this.#taking);
        if (at.runNo === undefined) this.#runtime.secrets.join(this.id, answer.runNo);
        this.#at = { runNo: answer.runNo, turn: at.turn + 1, after: epoch, epoch, pos: write.next, mailGot };
        this.#taking = false;
        this.#status = status;
        this.#mailSaved = mailGot;
        if (raiseOf(last) !== undefined) this.#raises.raised(epoch);
        this.#runtime.runs.accepted(this, facts);
        this.#afterAccept(out, answer);
        if (final) return this.#runtime.runs.ended(this, last as Fact & FinalBody, out.successor, answer.successorNo);
        if (parks && this.#arrived.length === 0) return this.#runtime.runs.parked(this, park.wakeAt);
        // It was put down and has news already: it is taken again at once, by the mail or the timer that it was put down for.
        if (parks) return this.#runtime.runs.parked(this, 0);
        if (out.armed) this.sweep();
        if (!this.quiet) this.stir();
      },
    };
  }

  /** Waits only for what has its own way to wake it. */
  #mayPark(out: Outbox): boolean {
    return (
      out.deliver.length + out.ask.length === 0 &&
      (this.#calls.none || (this.replay.held && this.#calls.mayRest)) &&
      this.#arrived.length === 0 &&
      !this.#hasWishes &&
      (this.children.size === 0 || this.replay.held) &&
      (this.replay.calls === 0 || (this.replay.paused && !this.#calls.turnstile.waits)) &&
      !this.#runtime.closing
    );
  }
  /** A turn has closed before all its wishes were carried out (A3), or the process closes (A4). Those of a paused run wait in its log. */
  get #hasWishes(): boolean {
    return !this.replay.held && (this.#backlog.length > 0 || this.replay.wishes || this.#calls.turnstile.hasNews);
  }
  /** When a timer is due; those of a paused run are looked at when it is resumed. */
  #nextDue(): number | undefined {
    if (this.replay.held) return undefined;
    let next: number | undefined;
    for (const due of this.replay.armed.values()) if (next === undefined || due < next) next = due;
    return next;
  }

  /** A2: everything that the turn asked of the outside. */
  #afterAccept(out: Outbox, answer?: Appended & { readonly accepted: true }): void {
    const runtime = this.#runtime;
    out.children.forEach((child, i) => {
      const runNo = answer?.children?.[i];
      if (runNo === undefined) this.#childExists(child.step, child.run.id);
      else runtime.runs.adopt(child, runNo);
    });
    this.#calls.afterAccept(out);
    for (const message of out.messages) runtime.posted(message.runId);
  }

  #childExists(step: string, runId: string): void {
    this.arrive({
      type: "child.ended",
      step,
      runId,
      status: "failed",
      error: { code: "RUN_ID_CONFLICT", message: `the run id "${runId}" is taken by another run: give the child another runId` },
    });
  }
}
