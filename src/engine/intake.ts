/**
 * How runs come to this process: due ones are taken from the store, mail is read, those of an unknown version wait.
 *
 * N1 One look is under way at a time; a request meanwhile makes another one follow.
 * N2 One timer stands for the earliest wake-up of all parked runs; the store's index holds the rest.
 * N3 A run that cannot be folded is paused in its log, with the mail that came: nothing is lost and nothing spins.
 * N4 What is due goes before what is queued, and a root run is taken only when it has a slot; children need none.
 * N5 With many owners what a look has read may be old when it is used: a run is taken as its row is once its last turn is
 *    known, no more is asked for than there are slots, and a look ends with the lease under which it began.
 * N6 What another process puts into the queue with nothing to wait for is taken by its number, without a look at the rest: one
 *    question instead of six. Only while nobody waits for a slot; else the order of the queue decides.
 * N7 Nothing is waited for between the first news of a run that is taken and its enlisting: one that has news will be written, and
 *    what is written and not enlisted nobody drives.
 */
import type { Fact, FactBody } from "../core/fact.ts";
import { type Failure, failureOf } from "../core/failure.ts";
import { pinned } from "../core/pin.ts";
import { undoWorkflow } from "../core/undo.ts";
import type { WorkflowContract } from "../node/contract.ts";
import { encodeFacts } from "../store/codec.ts";
import type { MailRow, RunRow, Taken, Told, TurnRow } from "../store/store.ts";
import { ActiveRun } from "./active-run.ts";
import { acquired, type Folded, fresh } from "./begin.ts";
import type { Engine } from "./engine.ts";
import { Looks } from "./looks.ts";
import { mailFact, unmoved } from "./mail.ts";
import { callOff } from "./queue.ts";
import { cleanTexts } from "./secrets.ts";

const chunk = 200;
/** Taken out of the queue at once: others have a turn before the next ones. */
const handful = 32;

export class Intake {
  readonly #engine: Engine;
  readonly #looks: Looks;
  readonly #named = new Set<string>();
  /** N6: numbers of runs that were put into the queue. */
  readonly #offered = new Set<number>();
  /** The next look is at everything. */
  #whole = false;
  /** The last look saw as many as it asked for, and all were being taken: there may be more behind them. */
  #behind = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#looks = new Looks(
      engine,
      () => this.look(),
      () => this.#looks.run(() => this.#look()),
    );
  }

  get quiet(): boolean {
    return this.#looks.quiet;
  }
  stop(): void {
    this.#looks.stop();
  }

  /** The store has just become this process's own. */
  open(): void {
    this.#looks.must(async () => {
      await this.#engine.store.unblock(this.#engine.definitions.held());
      await this.#engine.admission.open(this.#engine.workflows());
      await this.#takeDue();
    });
  }
  /** Takes what is due and reads mail. */
  look(): void {
    if (!this.#engine.owner) return;
    this.#whole = true;
    this.#looks.run(() => this.#look());
  }
  /** Another process has written. */
  told({ what, runNo }: Told): void {
    if (!this.#engine.owner) return;
    const run = this.#engine.activeNo(runNo);
    if (what === "mail") return run ? this.#mail(run) : this.look();
    this.#offered.add(runNo);
    this.#looks.run(() => this.#look());
  }
  /** A run that was taken is this process's own by now. */
  took(run: ActiveRun, hasEnded: boolean): void {
    if (this.#engine.store.owners === "one" || this.#behind) return this.look();
    // What came while it was taken was told to nobody in particular.
    if (!hasEnded) this.#mail(run);
  }

  async #look(): Promise<void> {
    const offered = [...this.#offered];
    this.#offered.clear();
    if (!this.#whole && (await this.#takeOffered(offered))) return;
    this.#whole = false;
    this.#behind = false;
    for (const runNo of await this.#engine.store.mailed()) {
      const run = this.#engine.activeNo(runNo);
      if (run)
        await this.#readMail(run).catch((error) => {
          if (!isKeyMissing(error)) throw error;
          this.#engine.broken(run, error);
        });
    }
    await this.#takeDue();
  }
  /** A run was put down until `at`; 0 is at once, null is until a message. */
  wakeAt(at: number | null): void {
    if (at === null || this.#looks.stopped) return;
    if (at <= this.#engine.store.now()) this.look();
    else this.#looks.by(at);
  }
  /** Mail was put for that run by this process. */
  mail(runId: string): void {
    const run = this.#engine.active(runId);
    if (run?.runNo === undefined) return this.look();
    this.#mail(run);
  }

  #mail(run: ActiveRun): void {
    const { leaseId } = this.#engine;
    this.#readMail(run).catch((error) => (isKeyMissing(error) ? this.#engine.broken(run, error) : this.#engine.failed(error, leaseId)));
  }

  async #readMail(run: ActiveRun): Promise<void> {
    const rows = await this.#engine.store.inbox(run.runNo as number, run.mailRead);
    await this.#learnMoves(run.row.workflow, rows);
    for (const row of rows) run.arrive(mailFact(row), row.seq);
    // It was put down while its mail was read: the store has it due for that mail, and nobody else knows.
    if (run.gone && rows.length > 0) this.look();
  }
  /** The definitions that runs are asked to go on with are at hand when the message is read. */
  async #learnMoves(workflow: string, mail: readonly MailRow[]): Promise<void> {
    for (const one of mail) {
      const fact = one.kind === "migrate" ? mailFact(one) : undefined;
      if (fact?.type !== "run.migrated") continue;
      try {
        await this.#engine.definitions.load(this.#engine.store, { ...fact, workflow });
      } catch (error) {
        // Then it is not held here, and the run stays what it is.
        this.#engine.world.log.warn(failureOf(error, "CONTRACT_INVALID").message, { code: "VERSION_MISSING" });
      }
    }
  }
  /** A secret of it cannot be opened here: it waits for a process that holds the key. */
  async #unreadable(row: RunRow, error: unknown): Promise<void> {
    if (!isKeyMissing(error)) throw error;
    await this.#engine.store.block(row.runNo, error.code);
    this.#engine.world.log.warn(`run ${row.id} waits: ${error.message}`, { code: error.code, runId: row.id });
  }

  async #takeDue(): Promise<void> {
    const { store, admission } = this.#engine;
    let everyone = true;
    let seenTo = 0;
    for (;;) {
      if (this.#looks.over) return;
      seenTo = store.now();
      const limit = this.#limit();
      const rows = await store.due(seenTo, limit, admission.free <= 0);
      let seen = 0;
      for (const row of rows) {
        if (this.#looks.over) return;
        if (this.#engine.activeNo(row.runNo)) continue;
        seen++;
        if (row.queuedAt !== undefined) await this.#callOff(row);
        else if (row.parent !== undefined) await this.#take(row);
        else if (!(await this.#takeRoot(row))) everyone = false;
      }
      // Those that are being taken are due until that is written, and then another look follows.
      if (rows.length >= limit && seen === 0) this.#behind = true;
      if (rows.length < limit || seen === 0) break;
      await this.#written();
    }
    if (this.#looks.over) return;
    const { put } = admission;
    if (!(await this.#takeQueued())) everyone = false;
    if (this.#looks.over) return;
    admission.looked(everyone, put);
    // What has become due since then is not seen yet: the next moment is behind what was asked for, not behind now.
    const next = [await store.nextWake(seenTo), await store.nextQueued(seenTo)].map((at) => at ?? Number.POSITIVE_INFINITY);
    this.#looks.arm(Math.min(...next, admission.nextShare));
  }

  /** How many are asked for at once. N5: what is given to this process is kept from others. */
  #limit(): number {
    const { store, admission } = this.#engine;
    return store.owners === "one" || admission.free <= 0 ? chunk : Math.min(chunk, admission.free);
  }

  /** Cancelled in the queue: a fork that takes back what it shares waits for no slot and no limit. */
  async #callOff(row: RunRow): Promise<void> {
    const { admission } = this.#engine;
    try {
      if (await callOff(this.#engine, row)) return;
    } catch (error) {
      return this.#unreadable(row, error);
    }
    admission.exceed(row);
    if (!(await this.#take(row)) && admission.ended(row)) this.look();
  }

  /** N6. Answers whether that was all there is to do. */
  async #takeOffered(runNos: readonly number[]): Promise<boolean> {
    const { store, admission } = this.#engine;
    if (runNos.length === 0) return true;
    if (!store.take || !admission.isOpen(runNos.length)) return false;
    const { taken, left } = await store.take(runNos, this.#engine.definitions.held());
    for (const one of taken) {
      if (this.#looks.over) return true;
      if (!this.#engine.activeNo(one.row.runNo)) await this.#takeRoot(one.row, one.first);
    }
    return !left;
  }

  /** Takes from the queue whatever has a slot and its shares of limits; answers whether nobody was left for want of a slot. */
  async #takeQueued(): Promise<boolean> {
    const { store, admission } = this.#engine;
    for (;;) {
      const limit = Math.min(chunk, Math.max(0, admission.free) + chunk / 4);
      const rows = await store.queued(store.now(), limit, admission.closed());
      for (let from = 0; from < rows.length; from += handful) {
        const some = rows.slice(from, from + handful).filter((row) => !this.#engine.activeNo(row.runNo));
        const free = await this.#takeFree(some);
        for (const row of some) {
          if (this.#looks.over) return true;
          const one = free.get(row.runNo);
          if (one) await this.#takeRoot(one.row, one.first);
          else if (admission.free <= 0) return false;
          else if (one === undefined) {
            const contract = await this.#limitsOf(row);
            if (contract !== false && (await admission.admit(row, contract))) await this.#takeRoot(row);
          }
        }
      }
      if (rows.length < limit) return true;
      await this.#written();
    }
  }

  /** With many owners: of these runs those that are under no limit, as many as have a slot; null: somebody else has it. */
  async #takeFree(rows: readonly RunRow[]): Promise<ReadonlyMap<number, Taken | null>> {
    const { store, admission, definitions } = this.#engine;
    const found = new Map<number, Taken | null>();
    if (store.owners === "one" || !store.take) return found;
    const held = definitions.held();
    const free = rows.filter((row) => row.concurrency === undefined && row.rate === undefined && held.includes(nameOf(row)));
    const asked = free.slice(0, Math.max(0, admission.free)).map((row) => row.runNo);
    if (asked.length === 0) return found;
    for (const runNo of asked) found.set(runNo, null);
    for (const one of (await store.take(asked, held)).taken) found.set(one.row.runNo, one);
    return found;
  }

  /** With many owners whoever lets a run out of the queue must hold its workflow, which says its limits; false: it does not. */
  async #limitsOf(row: RunRow): Promise<WorkflowContract | undefined | false> {
    const { store, definitions } = this.#engine;
    const known = definitions.find(row);
    if (store.owners === "one" || known) return known;
    try {
      const [first] = await store.turns(row.runNo, 0, 1);
      if (!first) return false;
      const started = pinned(this.#engine.decode(row.runNo, first));
      await definitions.load(store, started);
      return this.#engine.workflowOf(started) ?? (await this.#block(row));
    } catch (error) {
      await this.#unreadable(row, error);
      return false;
    }
  }

  /** The turns of what was taken are written before the next look, so that the same rows do not come back. */
  #written(): Promise<void> {
    const { clock } = this.#engine.world;
    return new Promise<void>((resolve) => clock.soon(() => clock.soon(resolve)));
  }

  /** N4. Answers whether there was a slot. */
  async #takeRoot(row: RunRow, first?: TurnRow): Promise<boolean> {
    const { admission } = this.#engine;
    if (!admission.reserve()) return false;
    const taken = await this.#take(row, first);
    admission.taken();
    if (!taken && row.queuedAt !== undefined && admission.giveBack(row)) this.look();
    return true;
  }

  /** Answers whether it is under way. `first`: all its turns, as they were read together with its row. */
  async #take(row: RunRow, first?: TurnRow): Promise<boolean> {
    try {
      return await this.#takeNow(row, first);
    } catch (error) {
      await this.#unreadable(row, error);
      return false;
    }
  }
  async #takeNow(row: RunRow, first?: TurnRow): Promise<boolean> {
    const engine = this.#engine;
    if (engine.parkedFolds.has(row.runNo)) {
      const tail = await engine.store.tail(row.runNo);
      if (!tail || tail.final || this.#looks.over) return false;
      const kept = engine.parkedFolds.take(row.runNo, tail.turn);
      if (kept) return this.#drive(row, tail, kept, new Map());
    }
    const turns = first ? [first] : await engine.store.turns(row.runNo);
    const tail = turns.at(-1);
    if (!tail || tail.final || this.#looks.over) return false;
    const facts = turns.flatMap((turn) => engine.decode(row.runNo, turn));
    const started = pinned(facts);
    await engine.definitions.load(engine.store, started);
    if (!engine.workflowOf(started)) await this.#learnFrom(row.parent);
    const contract = engine.workflowOf(started);
    if (!contract) return this.#block(row);
    const undoes = (started.input as { readonly runId?: string } | null)?.runId;
    if (contract.name === undoWorkflow.name && undoes !== undefined && engine.store.owners === "many") await engine.atHand.load(undoes);
    const folded = fresh(engine, row.id, contract, { undoes });
    try {
      for (const fact of facts) folded.replay.apply(fact);
    } catch (error) {
      return this.#pause(row.runNo, tail, failureOf(error, "ENGINE_FAILED"));
    }
    return this.#drive(row, tail, folded, openChildren(facts), first !== undefined);
  }

  /** Takes a folded run: its first turn holds the new epoch, the mail that came and the timers that are due. */
  async #drive(known: RunRow, tail: TurnRow, folded: Folded, children: Map<string, string>, isFresh = false): Promise<boolean> {
    const engine = this.#engine;
    const { runNo } = known;
    // N5: should others have read its mail meanwhile, they have written a turn too, and this one is refused.
    const row = isFresh ? known : await engine.store.byNo(runNo);
    if (!row || row.owned || row.endedAt !== undefined) return false;
    const mail = row.mailPut > row.mailGot ? await engine.store.inbox(runNo, row.mailGot) : [];
    await this.#learnMoves(row.workflow, mail);
    const conflicts = await this.#conflicts(row.id, children);
    // N7
    if (this.#looks.over || engine.active(row.id)) return false;
    folded.log.live = true;
    const run = new ActiveRun(
      engine,
      {
        id: row.id,
        workflow: row.workflow,
        version: row.version,
        digest: row.digest,
        priority: row.priority,
        at: row.createdAt,
        ...(row.parent === undefined ? {} : { parent: row.parent }),
        ...(row.concurrency === undefined ? {} : { concurrency: row.concurrency }),
        ...(row.rate === undefined ? {} : { rate: row.rate }),
      },
      folded,
      { runNo: row.runNo, turn: tail.turn + 1, after: tail.epoch, epoch: tail.epoch + 1, pos: tail.next, mailGot: row.mailGot },
      { taking: true, status: row.status, children },
    );
    run.arrive(acquired(engine, tail.epoch + 1));
    for (const one of mail) run.arrive(mailFact(one), one.seq);
    const now = engine.store.now();
    for (const [step, due] of folded.replay.armed) if (due <= now) run.arrive({ type: "timer.fired", step });
    for (const conflict of conflicts) run.arrive(conflict);
    engine.enlist(run);
    run.sweep();
    return true;
  }

  /** A child's workflow may be known to its parent's code alone: folding the parent meets it. */
  async #learnFrom(parentId: string | undefined): Promise<void> {
    const { definitions, store } = this.#engine;
    const row = parentId === undefined ? undefined : await store.run(parentId);
    if (!row) return;
    const facts = (await store.turns(row.runNo)).flatMap((turn) => this.#engine.decode(row.runNo, turn));
    const started = pinned(facts);
    await definitions.load(store, started);
    if (!this.#engine.workflowOf(started)) await this.#learnFrom(row.parent);
    const contract = this.#engine.workflowOf(started);
    if (!contract) return;
    const { replay } = fresh(this.#engine, row.id, contract, { undoes: (started.input as { readonly runId?: string } | null)?.runId });
    try {
      for (const fact of facts) replay.apply(fact);
    } catch {
      // A parent that cannot be folded is paused when its own turn comes; what it met until then is known.
    }
  }

  /** A child whose id turned out to be taken by another run will never answer. */
  async #conflicts(parent: string, children: ReadonlyMap<string, string>): Promise<FactBody[]> {
    const found: FactBody[] = [];
    for (const [step, childId] of children) {
      const row = await this.#engine.store.run(childId);
      if (row && row.parent === parent) continue;
      const error = { code: "RUN_ID_CONFLICT", message: `the run id "${childId}" is taken by another run: give the child another runId` };
      found.push({ type: "child.ended", step, runId: childId, status: "failed", error });
    }
    return found;
  }

  async #block(row: RunRow): Promise<false> {
    await this.#engine.store.block(row.runNo, "VERSION_MISSING");
    const name = nameOf(row);
    if (this.#named.has(name)) return false;
    this.#named.add(name);
    this.#engine.world.log.warn(`runs of ${name} wait: this process does not hold that workflow and version; start one that does`, {
      code: "VERSION_MISSING",
      runId: row.id,
    });
    return false;
  }

  /** Pauses a run whose ActiveRun could not be folded any further. */
  pause(runId: string, failure: Failure): void {
    this.#looks.must(async () => {
      const row = await this.#engine.store.run(runId);
      const tail = row && (await this.#engine.store.tail(row.runNo));
      if (row && tail && !tail.final) await this.#pause(row.runNo, tail, failure);
    });
  }

  /** N3. */
  async #pause(runNo: number, tail: TurnRow, failure: Failure): Promise<boolean> {
    const engine = this.#engine;
    const row = await engine.store.byNo(runNo);
    if (!row) return false;
    const mail = isKeyMissing(failure) ? [] : await engine.store.inbox(row.runNo, row.mailGot);
    const clean = engine.secrets.of(row.id);
    const at = Math.max(engine.store.now(), tail.at);
    const bodies: FactBody[] = [
      // An owned run that broke while it was driven keeps its epoch; one that was taken for this starts a new one.
      ...(row.owned ? [] : [acquired(engine, tail.epoch + 1)]),
      ...mail.map((one) => unmoved(one, "it is paused, since it does not fit the program that it has")),
      { type: "run.paused", code: failure.code, message: failure.message },
    ];
    const facts = bodies.map((body) => Object.assign(cleanTexts(body, clean), { at }) as Fact);
    const encoded = encodeFacts(facts);
    const epoch = row.owned ? tail.epoch : tail.epoch + 1;
    const [answer] = await engine.store.append([
      {
        run: row.runNo,
        turn: tail.turn + 1,
        after: tail.epoch,
        epoch,
        pos: tail.next,
        next: tail.next + facts.length,
        at,
        final: false,
        ...(row.owned ? {} : { take: true }),
        facts: encoded.text,
        ...(encoded.blobs ? { blobs: encoded.blobs } : {}),
        row: { status: "paused", mailGot: mail.at(-1)?.seq ?? row.mailGot, park: { wakeAt: null } },
      },
    ]);
    // Another owner was first, and goes on with it.
    if (!answer?.accepted) return false;
    engine.world.log.warn(`run ${row.id} is paused: ${failure.message}`, { code: failure.code });
    engine.watchers.publish(row.id, facts);
    return true;
  }
}

function nameOf({ workflow, version }: RunRow): string {
  return `${workflow}@${version}`;
}

function isKeyMissing(error: unknown): error is { readonly code: string; readonly message: string } {
  return (error as { readonly code?: unknown }).code === "SECRET_KEY_MISSING";
}

/** Child runs that were started and have not answered, by step. */
function openChildren(facts: readonly Fact[]): Map<string, string> {
  const open = new Map<string, string>();
  for (const fact of facts)
    if (fact.type === "child.started") open.set(fact.step, fact.runId);
    else if (fact.type === "child.ended") open.delete(fact.step);
  return open;
}
