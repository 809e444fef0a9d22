/** One process's connection to what the memory store holds. */
import { OnexError } from "../core/failure.ts";
import { admits, opens } from "./fence.ts";
import { Listeners } from "./listeners.ts";
import { keep, type Lease, type MemoryData, type Run, rowOf } from "./memory-data.ts";
import { prunable, prune } from "./memory-prune.ts";
import { MemorySchedules } from "./memory-schedules.ts";
import { newKey } from "./seal.ts";
import type {
  AdmitLimits,
  Admitted,
  Appended,
  FirstTurn,
  Fold,
  MailRow,
  Message,
  NewRun,
  OpenStore,
  Posted,
  Pruned,
  PruneGroup,
  PruneOptions,
  RunRow,
  StoreHost,
  Taken,
  Taking,
  Told,
  TurnRow,
  TurnWrite,
} from "./store.ts";

/** How long a due run is set apart for the owner that asked. */
const claimMs = 5_000;
/** How long a run that is due is left to the owner that put it down. */
const graceMs = 1_000;
/** Whoever leaves some of what is due to others looks again so soon; a share is never smaller. */
const soonMs = 250;
const leastShare = 16;

/** Every verb answers at once. */
export class Connection implements OpenStore {
  readonly kind = "memory";
  readonly name = "memory";
  readonly owners: "one" | "many";
  readonly writers = 1;
  readonly now: () => number;
  readonly schedules: MemorySchedules;
  commits = 0;
  readonly #data: MemoryData;
  readonly #all: Set<Connection>;
  readonly #listeners: Listeners;
  /** With many owners: workflows that this one does not hold, "name@version". */
  readonly #missing = new Set<string>();
  /** The last look at what is due left some of it. */
  #left = false;
  #lease: Lease | undefined;

  constructor(data: MemoryData, all: Set<Connection>, host: StoreHost, owners: "one" | "many" = "one") {
    this.owners = owners;
    this.#data = data;
    this.#all = all;
    this.#listeners = new Listeners(host);
    this.now = () => host.now();
    this.schedules = new MemorySchedules(data.schedules, () => this.#committed());
    all.add(this);
  }

  acquire(leaseId: string, lost: (why: string) => void = () => {}): { readonly leaseNo: number } | undefined {
    const { live } = this.#data;
    if (this.owners === "one" && live.size > 0 && !this.#holds) return undefined;
    if (this.#lease) live.delete(this.#lease);
    this.#lease = this.#data.newLease(leaseId, lost);
    this.#committed();
    return { leaseNo: this.#lease.leaseNo };
  }

  release(): void {
    const { live } = this.#data;
    const held = this.#lease !== undefined && live.delete(this.#lease);
    this.#lease = undefined;
    if (!held) return;
    this.#data.orphan();
    this.#committed();
  }

  owner(): { readonly leaseId: string; readonly pid: number } | undefined {
    const [first] = this.#data.live;
    const lease = this.#holds ? this.#lease : first;
    return lease && { leaseId: lease.leaseId, pid: 0 };
  }

  trusted(): boolean {
    return this.owners === "one" || this.#holds;
  }

  append(batch: readonly TurnWrite[]): readonly Appended[] {
    const leaseNo = this.#mine();
    const answers = batch.map((write) => this.#turn(write, leaseNo));
    this.#committed();
    return answers;
  }

  block(runNo: number, code: string): void {
    this.#mine();
    const run = this.#data.byNo(runNo);
    if (run === undefined || run.leaseNo !== undefined || run.endedAt !== undefined) return;
    if (this.owners === "one") this.#data.block(run, code);
    else {
      // Others may hold it: for them it stays due.
      run.mark = code;
      run.claim = undefined;
      this.#missing.add(nameOf(run));
    }
    this.#committed();
  }

  unblock(held: readonly string[]): number {
    this.#mine();
    const names = new Set(held);
    for (const name of held) this.#missing.delete(name);
    const runs = [...this.#data.runs.values()].filter((run) => (run.blocked ?? run.mark) !== undefined && names.has(nameOf(run)));
    for (const run of runs) {
      run.blocked = undefined;
      run.mark = undefined;
      this.#data.place(run, undefined, run.queuedAt === undefined ? 0 : run.wakeAt);
    }
    this.#committed();
    return runs.length;
  }

  start(run: NewRun, turn: FirstTurn): { readonly created: boolean; readonly row: RunRow } {
    const made = this.#data.add(run, turn, "pending", undefined);
    if (made !== undefined) this.#committed(this.#isFree(made) ? { what: "queued", runNo: made.runNo } : undefined);
    return { created: made !== undefined, row: made === undefined ? (this.#data.existing(run.id) as RunRow) : rowOf(made) };
  }

  post(message: Message): Posted {
    const posted = this.#data.post(message);
    const run = this.#data.byId.get(message.runId);
    if (posted.status === "posted") this.#committed(run?.leaseNo === undefined ? undefined : { what: "mail", runNo: run.runNo });
    return posted;
  }

  define(hash: string, text: string): void {
    this.#data.definitions.set(hash, text);
    this.#committed();
  }

  run(id: string): RunRow | undefined {
    const run = this.#data.byId.get(id);
    return run === undefined ? undefined : rowOf(run);
  }

  byNo(runNo: number): RunRow | undefined {
    const run = this.#data.byNo(runNo);
    return run === undefined ? undefined : rowOf(run);
  }

  list(filter: Parameters<OpenStore["list"]>[0]): readonly RunRow[] {
    const rows: RunRow[] = [];
    const limit = filter.limit ?? Number.POSITIVE_INFINITY;
    for (
      let runNo = Math.min(this.#data.lastNo, (filter.before ?? Number.POSITIVE_INFINITY) - 1);
      runNo > 0 && rows.length < limit;
      runNo--
    ) {
      const run = this.#data.byNo(runNo);
      if (run === undefined) continue;
      if (filter.status !== undefined && run.status !== filter.status) continue;
      if (filter.workflow !== undefined && run.workflow !== filter.workflow) continue;
      rows.push(rowOf(run));
    }
    return rows;
  }

  turns(runNo: number, from = 0, limit = Number.POSITIVE_INFINITY): readonly TurnRow[] {
    const run = this.#data.byNo(runNo);
    return run?.turns.slice(from, from + limit).map((turn) => this.#whole(run, turn)) ?? [];
  }

  tail(runNo: number): TurnRow | undefined {
    const run = this.#data.byNo(runNo);
    const tail = run?.turns.at(-1);
    return run && tail && this.#whole(run, tail);
  }

  /** With its values, where they cannot be asked for at once. */
  #whole(run: Run, turn: TurnRow): TurnRow {
    if (this.owners === "one" || !run.blobs || !turn.facts.includes('"blobs"')) return turn;
    return { ...turn, blobs: [...run.blobs].map(([hash, text]) => ({ hash, text })) };
  }

  blob(runNo: number, hash: string): string | undefined {
    return this.#data.byNo(runNo)?.blobs?.get(hash);
  }

  inbox(runNo: number, after: number): readonly MailRow[] {
    return this.#data.byNo(runNo)?.inbox?.filter((mail) => mail.seq > after) ?? [];
  }

  mailed(): readonly number[] {
    const owned = [...this.#data.mailed].filter((run) => run.leaseNo !== undefined && run.leaseNo === this.#lease?.leaseNo);
    return owned.map((run) => run.runNo).sort((a, b) => a - b);
  }

  state(reducer: string, key: string): string | undefined {
    return this.#data.states.get(reducer)?.get(key);
  }

  definition(hash: string): string | undefined {
    return this.#data.definitions.get(hash);
  }

  due(now: number, limit: number, slotless = false): readonly RunRow[] {
    if (this.owners === "many") return this.#share(now, limit, slotless);
    const rows: RunRow[] = [];
    for (const run of this.#due(now, slotless)) {
      if (rows.length >= limit) break;
      rows.push(rowOf(run));
    }
    return rows;
  }

  *#due(now: number, slotless: boolean): Generator<Run, void, undefined> {
    for (const run of this.#data.sleeping.from(() => true)) {
      if ((run.wakeAt as number) > now) break;
      if (!slotless || run.parent !== undefined || run.queuedAt !== undefined) yield run;
    }
  }

  /** What is due and not for another one to take, as much of it as is fair: it is set apart for this owner. */
  #share(now: number, limit: number, slotless: boolean): readonly RunRow[] {
    const mine = this.#lease?.leaseNo;
    if (mine === undefined) return [];
    const at = this.now();
    const open = [...this.#due(now, slotless)].filter(
      (run) => !this.#missing.has(nameOf(run)) && this.#keptUntil(run, mine) <= now && this.#apartUntil(run, mine) <= at,
    );
    const fair = Math.max(leastShare, Math.ceil(open.length / this.#data.live.size));
    const runs = open.slice(0, Math.min(limit, fair));
    this.#left = runs.length < Math.min(limit, open.length);
    for (const run of runs) run.claim = { leaseNo: mine, until: at + claimMs };
    return runs.map(rowOf);
  }

  /** From when on this owner may have a run that sleeps. */
  #opensAt(run: Run, mine: number | undefined): number {
    return Math.max(this.#keptUntil(run, mine), this.#apartUntil(run, mine));
  }
  /** The one that has put it down has the first second. */
  #keptUntil({ wakeAt = 0, putBy }: Run, mine: number | undefined): number {
    return wakeAt !== 0 && this.#isOthers(putBy, mine) ? wakeAt + graceMs : wakeAt;
  }
  #apartUntil({ claim }: Run, mine: number | undefined): number {
    return claim && this.#isOthers(claim.leaseNo, mine) ? claim.until : 0;
  }
  #isOthers(leaseNo: number | undefined, mine: number | undefined): boolean {
    return leaseNo !== undefined && leaseNo !== mine && this.#data.isLive(leaseNo);
  }

  sleepers(from: number, to: number, limit: number): readonly { readonly runNo: number; readonly wakeAt: number }[] {
    const found: { runNo: number; wakeAt: number }[] = [];
    for (const run of this.#after(from)) {
      const wakeAt = run.wakeAt as number;
      if (found.length >= limit || wakeAt > to) break;
      found.push({ runNo: run.runNo, wakeAt });
    }
    return found;
  }

  nextWake(after: number): number | undefined {
    if (this.owners === "many") {
      const mine = this.#lease?.leaseNo;
      const times = [...this.#data.sleeping.from(() => true)]
        .filter((run) => !this.#missing.has(nameOf(run)))
        .map((run) => this.#opensAt(run, mine));
      if (this.#left) times.push(after + soonMs);
      this.#left = false;
      return times.filter((at) => at > after).sort((a, b) => a - b)[0];
    }
    for (const run of this.#after(after)) return run.wakeAt;
    return undefined;
  }

  secretKeys(make: boolean): string | undefined {
    if (make) this.#data.secretKeys ??= newKey();
    return this.#data.secretKeys;
  }

  queued(now: number, limit: number, except: readonly string[]): readonly RunRow[] {
    const without = new Set<string | undefined>(except);
    const rows: RunRow[] = [];
    for (const run of this.#data.queue.from(() => true)) {
      if (rows.length >= limit) break;
      if (this.#missing.has(nameOf(run))) continue;
      if ((run.queuedAt as number) <= now && !without.has(run.concurrency) && !without.has(run.rate)) rows.push(rowOf(run));
    }
    return rows;
  }

  queuedCount(now: number): number {
    let count = 0;
    for (const run of this.#data.queueTimes.from(() => true)) {
      if ((run.queuedAt as number) > now) break;
      if (!this.#missing.has(nameOf(run))) count++;
    }
    return count;
  }

  nextQueued(after: number): number | undefined {
    for (const run of this.#data.queueTimes.from((run) => (run.queuedAt as number) > after))
      if (!this.#missing.has(nameOf(run))) return run.queuedAt;
    return undefined;
  }

  underWay(): readonly { readonly concurrency: string; readonly count: number }[] {
    const counts = new Map<string, number>();
    for (const { concurrency, queuedAt, endedAt } of this.#data.runs.values())
      if (concurrency !== undefined && queuedAt === undefined && endedAt === undefined)
        counts.set(concurrency, (counts.get(concurrency) ?? 0) + 1);
    return [...counts].map(([concurrency, count]) => ({ concurrency, count }));
  }

  admissions(after: number): readonly { readonly rate: string; readonly at: number }[] {
    const found: { rate: string; at: number }[] = [];
    for (const { rate, admittedAt: at } of this.#data.runs.values())
      if (rate !== undefined && at !== undefined && at > after) found.push({ rate, at });
    return found.sort((a, b) => a.at - b.at);
  }

  prune(before: number, limit: number, options: PruneOptions = {}): Pruned {
    const pruned = prune(this.#data, before, limit, options, this.now());
    if (pruned.runs > 0) this.#committed();
    return pruned;
  }

  prunable(before: number, options: PruneOptions = {}): readonly PruneGroup[] {
    return prunable(this.#data, before, options);
  }

  pruned(id: string): RunRow | undefined {
    return this.#data.pruned.get(id);
  }

  admit(runNo: number, limits: AdmitLimits): Admitted {
    const leaseNo = this.#mine();
    const run = this.#data.byNo(runNo);
    if (run?.queuedAt === undefined || run.blocked !== undefined) return { admitted: false, reason: "gone" };
    const now = this.now();
    if (run.concurrency !== undefined && limits.concurrency !== undefined) {
      const used = this.underWay().find(({ concurrency }) => concurrency === run.concurrency)?.count ?? 0;
      if (used >= limits.concurrency) return { admitted: false, reason: "concurrency" };
    }
    if (run.rate !== undefined && limits.rate !== undefined) {
      const { limit, perMs } = limits.rate;
      const past = this.admissions(now - perMs).filter(({ rate }) => rate === run.rate);
      if (past.length >= limit) return { admitted: false, reason: "rate", until: (past.at(-limit)?.at ?? now) + perMs };
    }
    run.admittedAt = now;
    this.#data.admit(run, leaseNo, now + claimMs);
    this.#committed();
    return { admitted: true };
  }

  take(runNos: readonly number[], held: readonly string[]): Taking {
    const leaseNo = this.#mine();
    const now = this.now();
    const taken: Taken[] = [];
    let left = false;
    for (const runNo of runNos) {
      const run = this.#data.byNo(runNo);
      if (run?.queuedAt === undefined) continue;
      if (!this.#isFree(run) || !held.includes(nameOf(run))) {
        left = true;
        continue;
      }
      run.admittedAt = now;
      this.#data.admit(run, leaseNo, now + claimMs);
      taken.push({ row: rowOf(run), first: this.#whole(run, run.turns[0] as TurnRow) });
    }
    if (taken.length > 0) this.#committed();
    return { taken, left };
  }

  /** It waits for nothing but somebody with a slot. */
  #isFree({ queuedAt, concurrency, rate }: Run): boolean {
    return queuedAt !== undefined && queuedAt <= this.now() && concurrency === undefined && rate === undefined;
  }

  watch(_role: "owner" | "client", listener: (told?: Told) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Something has changed that no verb of another connection did, or another one wrote. */
  wake(told?: Told): void {
    this.#listeners.wake(told);
  }

  close(): void {
    this.release();
    this.#listeners.clear();
    this.#all.delete(this);
  }

  #turn(write: TurnWrite, leaseNo: number): Appended {
    const run = typeof write.run === "number" ? this.#data.byNo(write.run) : undefined;
    if (typeof write.run === "number") {
      if (run === undefined || !admits({ leaseNo: run.leaseNo, tail: run.turns.at(-1) }, write, leaseNo)) {
        return { accepted: false, reason: "fenced" };
      }
      const { turn, epoch, pos, next, at, final } = write;
      const folded = write.fold && this.#fold(write.fold);
      const { facts, blobs } = folded ?? write;
      run.turns.push({ turn, epoch, pos, next, at, final, facts });
      keep(run, blobs);
      this.#row(run, write, leaseNo);
      return { ...this.#others(run, write, leaseNo), ...(folded ? { folded } : {}) };
    }
    const existing = this.#data.existing(write.run.id);
    if (existing !== undefined) return { accepted: false, reason: "exists", row: existing };
    if (!opens(write)) return { accepted: false, reason: "fenced" };
    const made = this.#data.add(write.run, write, "running", leaseNo) as Run;
    made.turns[0] = { turn: 0, epoch: write.epoch, pos: 0, next: write.next, at: write.at, final: write.final, facts: write.facts };
    this.#row(made, write, leaseNo);
    return this.#others(made, write, leaseNo);
  }

  #fold(fold: Fold): Pick<TurnRow, "facts" | "blobs"> {
    const { facts, blobs, states } = fold.with(fold.keys.map(({ reducer, key }) => this.state(reducer, key)));
    fold.keys.forEach(({ reducer, key }, i) => {
      const state = states[i];
      if (state !== undefined) this.#data.setState(reducer, key, state);
    });
    return { facts, ...(blobs ? { blobs } : {}) };
  }

  #row(run: Run, write: TurnWrite, leaseNo: number): void {
    const { row } = write;
    if (row !== undefined) {
      run.status = row.status;
      if (row.version !== undefined) run.version = row.version;
      run.mailGot = Math.max(run.mailGot, row.mailGot);
      if (run.mailGot >= run.mailPut) this.#data.mailed.delete(run);
    } else if (write.take === true) run.status = "running";
    if (write.take === true) {
      this.#data.place(run, leaseNo, undefined);
      run.blocked = undefined;
      run.admittedAt ??= write.at;
    }
    if (write.final) {
      this.#data.place(run, undefined, undefined);
      run.endedAt = write.at;
      this.#data.mailed.delete(run);
    } else if (row?.park !== undefined) {
      // S4: mail that no turn has read yet makes the run due at once.
      const wakeAt = run.mailPut > run.mailGot ? 0 : row.park.wakeAt === null ? undefined : Math.ceil(row.park.wakeAt);
      this.#data.place(run, undefined, wakeAt);
      run.putBy = leaseNo;
    }
  }

  #others(run: Run, write: TurnWrite, leaseNo: number): Appended {
    const children = write.children?.map((child) => this.#data.add(child.run, child.first, "running", leaseNo)?.runNo);
    for (const { reducer, key, state } of write.states ?? []) this.#data.setState(reducer, key, state);
    const successor =
      write.successor === undefined ? undefined : this.#data.succeed(run, write.successor.run, write.successor.first, leaseNo);
    for (const message of write.messages ?? []) this.#data.post(message);
    return {
      accepted: true,
      runNo: run.runNo,
      ...(children === undefined ? {} : { children }),
      ...(successor === undefined ? {} : { successorNo: successor.runNo }),
    };
  }

  #after(time: number): Generator<Run, void, undefined> {
    return this.#data.sleeping.from((run) => (run.wakeAt as number) > time);
  }

  /** The number of this connection's lease, which must be the live one. */
  #mine(): number {
    if (this.#lease === undefined || !this.#holds) {
      throw new OnexError("OWNERSHIP_LOST", "this process does not own the store, so it may not write turns; acquire it first");
    }
    return this.#lease.leaseNo;
  }

  get #holds(): boolean {
    return this.#lease !== undefined && this.#data.live.has(this.#lease);
  }

  #committed(told?: Told): void {
    this.commits++;
    for (const other of this.#all) if (other !== this) other.wake(this.owners === "many" ? told : undefined);
  }
}

function nameOf(run: Run): string {
  return `${run.workflow}@${run.version}`;
}
