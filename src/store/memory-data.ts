/** What the memory store holds, and the changes it knows: plain maps, and the order in which sleeping runs wake. */
import type { RunStatus } from "../core/fact.ts";
import type { ScheduleRow } from "./schedule-store.ts";
import { Sorted } from "./sorted.ts";
import type { Blob, FirstTurn, MailRow, Message, NewRun, Posted, RunRow, TurnRow } from "./store.ts";

export interface Run {
  readonly runNo: number;
  id: string;
  readonly workflow: string;
  version: string;
  readonly digest: string;
  status: RunStatus;
  blocked: string | undefined;
  readonly priority: number;
  readonly createdAt: number;
  endedAt: number | undefined;
  leaseNo: number | undefined;
  wakeAt: number | undefined;
  mailPut: number;
  mailGot: number;
  readonly parent: string | undefined;
  readonly origin: string | undefined;
  queuedAt: number | undefined;
  readonly concurrency: string | undefined;
  readonly rate: string | undefined;
  /** When it was taken for the first time. */
  admittedAt: number | undefined;
  /** With many owners: who put it down, and for whom it is set apart until when. */
  putBy: number | undefined;
  /** With many owners: why the last one that tried could not drive it. */
  mark: string | undefined;
  claim: { readonly leaseNo: number; readonly until: number } | undefined;
  readonly turns: TurnRow[];
  /** Made when first needed: most runs never get a message, nor keep a large value. */
  inbox: MailRow[] | undefined;
  seen: Map<string, number> | undefined;
  blobs: Map<string, string> | undefined;
}

export interface Lease {
  readonly leaseNo: number;
  readonly leaseId: string;
  readonly lost: (why: string) => void;
}

export class MemoryData {
  /** By number, in the order in which they were made; the first is 1. */
  readonly runs = new Map<number, Run>();
  /** Number of the last run that was made; no number is given twice. */
  lastNo = 0;
  /** Runs that were removed, by id, while their ids are kept. */
  readonly pruned = new Map<string, RunRow>();
  readonly byId = new Map<string, Run>();
  readonly states = new Map<string, Map<string, string>>();
  readonly definitions = new Map<string, string>();
  secretKeys: string | undefined;
  /** Runs that wait for a time: unowned, not ended, not blocked. */
  readonly sleeping = new Sorted<Run>(byWake);
  /** Queued runs that are not blocked, in the order in which they are taken, and by their time. */
  readonly queue = new Sorted<Run>(byRank);
  readonly queueTimes = new Sorted<Run>(byQueueTime);
  readonly schedules = new Map<string, ScheduleRow>();
  /** Runs with mail that no turn has read. */
  readonly mailed = new Set<Run>();
  /** The live leases: one, or many. A lease that is not among them has lapsed or was released, and stays so. */
  readonly live = new Set<Lease>();
  #leases = 0;

  newLease(leaseId: string, lost: (why: string) => void): Lease {
    const lease = { leaseNo: ++this.#leases, leaseId, lost };
    this.live.add(lease);
    this.orphan();
    return lease;
  }

  /** Every run whose owner has no live lease becomes unowned and due at once. */
  orphan(): void {
    const live = new Set<number | undefined>([...this.live].map(({ leaseNo }) => leaseNo));
    for (const run of this.runs.values()) if (run.leaseNo !== undefined && !live.has(run.leaseNo)) this.place(run, undefined, 0);
  }

  isLive(leaseNo: number): boolean {
    for (const lease of this.live) if (lease.leaseNo === leaseNo) return true;
    return false;
  }

  byNo(runNo: number): Run | undefined {
    return this.runs.get(runNo);
  }

  /** The only way to change who owns a run, and when it wakes: keeps the order of sleepers and of the queue right. */
  place(run: Run, leaseNo: number | undefined, wakeAt: number | undefined, queuedAt = run.queuedAt): void {
    this.#leave(run);
    run.claim = undefined;
    if (leaseNo !== undefined) run.mark = undefined;
    run.leaseNo = leaseNo;
    run.wakeAt = wakeAt;
    run.queuedAt = leaseNo === undefined && run.endedAt === undefined ? queuedAt : undefined;
    this.#enter(run);
  }

  /** Takes a run out of the queue: it is due at once, for `leaseNo` alone until then. */
  admit(run: Run, leaseNo: number, until: number): void {
    this.#leave(run);
    run.queuedAt = undefined;
    run.wakeAt = 0;
    this.#enter(run);
    run.putBy = leaseNo;
    run.claim = { leaseNo, until };
  }

  /** Takes an unowned run out of all orders, until `unblock`. */
  block(run: Run, code: string): void {
    this.#leave(run);
    run.blocked = code;
  }

  #leave(run: Run): void {
    if (sleeps(run)) this.sleeping.delete(run);
    if (!queues(run)) return;
    this.queue.delete(run);
    this.queueTimes.delete(run);
  }
  #enter(run: Run): void {
    if (sleeps(run)) this.sleeping.add(run);
    if (!queues(run)) return;
    this.queue.add(run);
    this.queueTimes.add(run);
  }

  /** The run of this id as it is, or was before it was removed. */
  existing(id: string): RunRow | undefined {
    const run = this.byId.get(id);
    return run === undefined ? this.pruned.get(id) : rowOf(run);
  }

  /** A new run with its first turn, or `undefined` when the id exists, or is that of a run that was removed. */
  add(made: NewRun, first: FirstTurn, status: RunStatus, leaseNo: number | undefined): Run | undefined {
    if (this.byId.has(made.id) || this.pruned.has(made.id)) return undefined;
    const run: Run = {
      runNo: ++this.lastNo,
      id: made.id,
      workflow: made.workflow,
      version: made.version,
      digest: made.digest,
      status,
      blocked: undefined,
      priority: made.priority,
      createdAt: made.at,
      endedAt: undefined,
      leaseNo: undefined,
      wakeAt: undefined,
      mailPut: 0,
      mailGot: 0,
      parent: made.parent,
      origin: made.origin,
      queuedAt: undefined,
      concurrency: made.concurrency,
      rate: made.rate,
      admittedAt: leaseNo === undefined ? undefined : made.at,
      putBy: undefined,
      mark: undefined,
      claim: undefined,
      turns: [{ turn: 0, epoch: first.epoch, pos: 0, next: first.next, at: made.at, final: false, facts: first.facts }],
      inbox: undefined,
      seen: undefined,
      blobs: undefined,
    };
    this.runs.set(run.runNo, run);
    this.byId.set(run.id, run);
    keep(run, first.blobs);
    this.place(run, leaseNo, leaseNo === undefined ? (made.queuedAt === undefined ? 0 : made.wakeAt) : undefined, made.queuedAt);
    return run;
  }

  post(message: Message): Posted {
    const run = this.byId.get(message.runId);
    if (run === undefined) return { status: "unknown" };
    const before = run.seen?.get(message.messageId);
    if (before !== undefined) return { status: "duplicate", seq: before };
    if (run.endedAt !== undefined) return { status: "ended" };
    const seq = ++run.mailPut;
    run.seen ??= new Map();
    run.seen.set(message.messageId, seq);
    run.inbox ??= [];
    run.inbox.push({ seq, messageId: message.messageId, kind: message.kind, body: message.body });
    this.mailed.add(run);
    if (run.leaseNo === undefined && (run.queuedAt === undefined || message.kind === "cancel")) this.place(run, undefined, 0);
    return { status: "posted", seq };
  }

  /** Gives the id of an ended run, and the mail it has not read, to a new run. */
  succeed(ended: Run, made: NewRun, first: FirstTurn, leaseNo: number): Run | undefined {
    this.byId.delete(ended.id);
    let old = `${ended.id}~${ended.runNo}`;
    while (this.byId.has(old)) old += "~";
    ended.id = old;
    this.byId.set(old, ended);
    const run = this.add(made, first, "running", leaseNo);
    if (run === undefined) return undefined;
    run.mailPut = ended.mailPut;
    run.mailGot = ended.mailGot;
    const unread = ended.inbox?.filter((mail) => mail.seq > ended.mailGot) ?? [];
    if (unread.length > 0) {
      run.inbox = unread;
      this.mailed.add(run);
      run.seen = new Map(unread.map((mail) => [mail.messageId, mail.seq]));
      ended.inbox = ended.inbox?.filter((mail) => mail.seq <= ended.mailGot);
      for (const mail of unread) ended.seen?.delete(mail.messageId);
    }
    return run;
  }

  setState(reducer: string, key: string, state: string): void {
    const states = this.states.get(reducer);
    if (states === undefined) this.states.set(reducer, new Map([[key, state]]));
    else states.set(key, state);
  }
}

export function keep(run: Run, blobs: readonly Blob[] | undefined): void {
  if (blobs === undefined) return;
  run.blobs ??= new Map();
  for (const blob of blobs) run.blobs.set(blob.hash, blob.text);
}

/** A copy: what a reader holds does not change under it. */
export function rowOf(run: Run): RunRow {
  const {
    runNo,
    id,
    workflow,
    version,
    digest,
    status,
    blocked = run.mark,
    priority,
    createdAt,
    endedAt,
    wakeAt,
    mailPut,
    mailGot,
    parent,
  } = run;
  const { queuedAt, concurrency, rate } = run;
  const owned = run.leaseNo !== undefined;
  return {
    ...{ runNo, id, workflow, version, digest, status, blocked, priority, createdAt, endedAt, owned, wakeAt, mailPut, mailGot, parent },
    ...{ queuedAt, concurrency, rate },
  };
}

function sleeps(run: Run): boolean {
  return run.leaseNo === undefined && run.wakeAt !== undefined && run.endedAt === undefined && run.blocked === undefined;
}

function byWake(a: Run, b: Run): number {
  return (a.wakeAt ?? 0) - (b.wakeAt ?? 0) || a.priority - b.priority || a.runNo - b.runNo;
}

function queues(run: Run): boolean {
  return run.queuedAt !== undefined && run.blocked === undefined;
}

function byRank(a: Run, b: Run): number {
  return a.priority - b.priority || byQueueTime(a, b);
}

function byQueueTime(a: Run, b: Run): number {
  return (a.queuedAt ?? 0) - (b.queuedAt ?? 0) || a.runNo - b.runNo;
}
