/**
 * The store keeps the facts of runs and says who owns them; it decides nothing.
 *
 * Words: a *run* is a row and a log of *turns*; a turn is one row, all or nothing. An *owner* is a process that holds a live
 * *lease*; of each run one owner alone appends turns. On a store for one owner (memory, SQLite) it owns all runs; on one for
 * many (PostgreSQL) each owns those that it has made or taken. Every other process (a *client*) reads, and writes only new
 * runs and messages to the *inbox* of a run.
 *
 * S1 A turn is accepted iff the turn before it exists, carries the epoch `after`, ends at `pos`, and is not final.
 * S2 A turn, once accepted, never changes; each turn of a batch is fenced on its own, and is written whole with all that
 *    goes with it, or not at all. A store for one owner accepts a batch in one transaction.
 * S3 Messages are numbered under the row of their run: the order of commit is the order of numbers.
 * S4 A put-down never loses a message: `wakeAt` becomes 0 when there is mail the turn has not read.
 * S5 An acknowledged write survives a power cut.
 *
 * Verbs may answer at once or with a promise (a store over a network must); callers handle both. A store for many owners
 * answers with promises alone, also while it cannot be reached: it goes on trying until it knows. Its clock is the database's.
 */
import type { RunStatus } from "../core/fact.ts";
import type { ScheduleStore } from "./schedule-store.ts";

export type Awaitable<T> = T | Promise<T>;

/** What a store gets from the process that opens it. */
export interface StoreHost {
  /** Wall time, ms. */
  now(): number;
  /** Calls back once after `ms`; the answer cancels it. */
  setTimer(ms: number, callback: () => void): () => void;
  /** What the configuration says of leases, ms. What the store itself was told counts first. */
  readonly lease?: { readonly ttlMs: number; readonly renewMarginMs: number };
  /** Something a person should know that stops nothing (a busy file, a missing notification). */
  warn(code: string, message: string): void;
}

/** What a user hands to `createOrchestrator`: where runs are kept. */
export interface Store {
  /** "memory", "sqlite", … */
  readonly kind: string;
  /** Opens and checks it. Throws OnexError `STORE_FOREIGN`, `STORE_BUSY`, `STORE_MISSING`, `STORE_DRIVER_MISSING`, `STORE_FAILED`. */
  open(host: StoreHost): OpenStore;
}

export interface OpenStore {
  readonly kind: string;
  /** As people name it, for messages: "sqlite:onex.db"; never with a password. */
  readonly name: string;
  /** How many processes may drive runs of it at once. */
  readonly owners: "one" | "many";
  /** How many appends may be on their way at once. */
  readonly writers: number;
  /** Store time, ms: wall time when it was opened plus monotonic time since. Leases, timers and facts use this one. */
  now(): number;
  /** Commits made by this connection so far. */
  readonly commits: number;

  // ── ownership ──
  /**
   * Becomes an owner. With one owner: answers `undefined` while another process is, and every run that an earlier owner held
   * becomes unowned and due at once. With many: always gives a new lease; `lost` is called once when it has lapsed, and then
   * another `acquire`, under a new id, begins anew.
   */
  acquire(leaseId: string, lost?: (why: string) => void): Awaitable<{ readonly leaseNo: number } | undefined>;
  /** Lets go of the ownership; runs that are still owned become unowned and due at once. */
  release(): Awaitable<void>;
  /** Who owns it, as far as the store knows; with many owners one of them. `host` is set where it may be another machine. */
  owner(): Awaitable<Owner | undefined>;
  /** Whether the lease is live for certain: while it is not, nothing new may leave the process. Always true with one owner. */
  trusted(): boolean;

  // ── written by the owner ──
  /**
   * Appends a batch of turns in one transaction. A run appears at most once in a batch. Answers in the order of the batch.
   * Throws OnexError `OWNERSHIP_LOST` (the lease is not live; of what was on its way nothing more will be written) or
   * `STORE_FAILED` (the store cannot be trusted any more).
   */
  append(batch: readonly TurnWrite[]): Awaitable<readonly Appended[]>;
  /**
   * Marks an unowned run as not drivable here (`VERSION_MISSING`): it is not due until `unblock` names its workflow. With many
   * owners it is not due to this one any more, nor are others of its workflow and version.
   */
  block(runNo: number, code: string): Awaitable<void>;
  /** Makes blocked runs of these workflows ("name@version") due at once. Answers how many. */
  unblock(held: readonly string[]): Awaitable<number>;

  // ── written by anyone ──
  /** Stores a run that nobody owns yet, due at once, or in the queue when it has `queuedAt`. The same id gives the existing row. */
  start(run: NewRun, turn: FirstTurn): Awaitable<{ readonly created: boolean; readonly row: RunRow }>;
  /** Puts a message into the inbox of a run; one `messageId` counts once. One that is queued is woken by a cancel alone. */
  post(message: Message): Awaitable<Posted>;
  /** Keeps the text of a YAML definition under its hash. */
  define(hash: string, text: string): Awaitable<void>;

  // ── reads ──
  run(id: string): Awaitable<RunRow | undefined>;
  /** Newest first. `before` is a `runNo` to page on from. */
  list(filter: {
    readonly status?: RunStatus;
    readonly workflow?: string;
    readonly limit?: number;
    readonly before?: number;
  }): Awaitable<readonly RunRow[]>;
  /** Turns of a run from `from` on, in order. */
  turns(runNo: number, from?: number, limit?: number): Awaitable<readonly TurnRow[]>;
  /** The last turn of a run. */
  tail(runNo: number): Awaitable<TurnRow | undefined>;
  blob(runNo: number, hash: string): Awaitable<string | undefined>;
  /** Messages numbered above `after`, in order. */
  inbox(runNo: number, after: number): Awaitable<readonly MailRow[]>;
  /** Numbers of the runs of this owner that have mail its turns have not read (`mailPut > mailGot`). */
  mailed(): Awaitable<readonly number[]>;
  state(reducer: string, key: string): Awaitable<string | undefined>;
  definition(hash: string): Awaitable<string | undefined>;
  /**
   * Unowned runs whose time has come (`wakeAt <= now`), by wake time, then priority. With `slotless` those alone that need
   * no slot: children, and queued runs that were cancelled. With many owners these are set apart for this one for a few
   * seconds, and what another one has put down is left to it for its first second.
   */
  due(now: number, limit: number, slotless?: boolean): Awaitable<readonly RunRow[]>;
  /** Unowned runs with `from < wakeAt <= to`, by wake time. */
  sleepers(from: number, to: number, limit: number): Awaitable<readonly { readonly runNo: number; readonly wakeAt: number }[]>;
  /** The row of a run by number. */
  byNo(runNo: number): Awaitable<RunRow | undefined>;
  /** The earliest `wakeAt` above `after` of an unowned run. */
  nextWake(after: number): Awaitable<number | undefined>;

  // ── secrets ──
  /**
   * The keys that seal the secrets in this store, apart from what they seal: one a line, base64 of 32 bytes, the newest first.
   * Makes one if there is none and `make` is true. Left out: the store has no place for them, and the user gives a key.
   */
  secretKeys?(make: boolean): string | undefined;
  // ── the queue ──
  /** Queued runs with `queuedAt <= now`, by priority, then `queuedAt`, then number; without those whose `concurrency` or `rate` is in `except`. */
  queued(now: number, limit: number, except: readonly string[]): Awaitable<readonly RunRow[]>;
  /** How many are queued with `queuedAt <= now`. */
  queuedCount(now: number): Awaitable<number>;
  /** The earliest `queuedAt` above `after`. */
  nextQueued(after: number): Awaitable<number | undefined>;
  /** How many runs of each `concurrency` have left the queue, or never were in it, and have not ended. */
  underWay(): Awaitable<readonly { readonly concurrency: string; readonly count: number }[]>;
  /** When runs with a `rate` were taken for the first time, those after `after`, in order of time. */
  admissions(after: number): Awaitable<readonly { readonly rate: string; readonly at: number }[]>;
  /**
   * Only of a store for many owners: takes a queued run out of the queue, if the limits on its `concurrency` and `rate` leave
   * room for it, and sets it apart for this owner. Serialized for each limit over all owners.
   */
  admit?(runNo: number, limits: AdmitLimits): Awaitable<Admitted>;
  /**
   * Only of a store for many owners: takes those of these runs that are queued, due, under no limit and of the workflows `held`
   * ("name@version") out of the queue, sets them apart for this owner, and gives them, in the order of `runNos`.
   */
  take?(runNos: readonly number[], held: readonly string[]): Awaitable<Taking>;

  // ── retention ──
  /**
   * Removes runs that ended before that time, oldest first, at most `limit`, each whole (row, turns, blobs, inbox), in one short
   * transaction; a call may stop earlier and say that there is more. Any process may. A run stays while it may be needed:
   * while its parent (of the round that started it), an ancestor, or a fork that shares its past or theirs is under way.
   * States, schedules and definitions stay. The id of a run is kept for a while after its end: until then no start makes
   * another run of it, and is answered with the row that it had. Ids that were kept long enough go too.
   */
  prune(before: number, limit: number, options?: PruneOptions): Awaitable<Pruned>;
  /** What `prune` would remove, by workflow and status. */
  prunable(before: number, options?: PruneOptions): Awaitable<readonly PruneGroup[]>;
  /** The row of a run that was removed, as far as its id is kept: who it was and how it ended. */
  pruned(id: string): Awaitable<RunRow | undefined>;

  /** Schedules of starts. */
  readonly schedules: ScheduleStore;

  // ── news ──
  /**
   * Calls back soon after another connection wrote. "owner": a start or message from a client (a notification within
   * 50 ms, with a slow poll as the net). "client": anything the owner wrote. `told` is there if it was one thing that needs
   * no look at the rest. The answer stops it.
   */
  watch(role: "owner" | "client", listener: (told?: Told) => void): () => void;
  /** Releases the ownership if held, checkpoints, closes. */
  close(): Awaitable<void>;
}

export interface Owner {
  readonly leaseId: string;
  readonly pid: number;
  readonly host?: string;
}

export interface AdmitLimits {
  /** Most runs under way with this `concurrency`. */
  readonly concurrency?: number;
  /** Most admissions with this `rate` in any window of `perMs`. */
  readonly rate?: { readonly limit: number; readonly perMs: number };
}

/** `until`: when a share of the rate comes back, store time. "gone": it is queued no more. */
export type Admitted =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly reason: "concurrency" | "gone" }
  | { readonly admitted: false; readonly reason: "rate"; readonly until: number };

/** A run that was in the queue, with its first turn, which is its last: nobody has driven it. */
export interface Taken {
  readonly row: RunRow;
  /** Left out where it cannot be read: whoever asks for it by `turns` is told why. */
  readonly first?: TurnRow;
}

export interface Taking {
  readonly taken: readonly Taken[];
  /** Some are in the queue still, and of other workflows or under a limit. The rest somebody else has. */
  readonly left: boolean;
}

/** Another process has put a run that `take` may take into the queue, or mail for a run of this owner. */
export interface Told {
  readonly what: "queued" | "mail";
  readonly runNo: number;
}

/** A run as it is made. */
export interface NewRun {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  /** Digest of what was asked (workflow, version, input): another start with this id must have the same. */
  readonly digest: string;
  readonly priority: number;
  readonly at: number;
  /** Id of the run that started it as a child. */
  readonly parent?: string;
  /** Of a fork: id under which the run ran whose past it shares. That run and its children stay while this one is under way. */
  readonly origin?: string;
  /** Only with `start`: it waits in the queue, and not before this time, for somebody to take it; only a cancel makes it due. */
  readonly queuedAt?: number;
  /** Only with `queuedAt`: it is due at this time, whether it was taken or not. */
  readonly wakeAt?: number;
  /** What it counts to while it is under way: the text that the starter chose for its workflow and key. */
  readonly concurrency?: string;
  /** What its start counts to. */
  readonly rate?: string;
}

/** Turn 0 of a run. */
export interface FirstTurn {
  readonly epoch: number;
  readonly next: number;
  readonly facts: string;
  readonly blobs?: readonly Blob[];
}

export interface Blob {
  readonly hash: string;
  readonly text: string;
}

/** What changes in the row of a run with a turn; left out when nothing does. */
export interface RowChange {
  readonly status: RunStatus;
  /** Number of the last message that this and earlier turns have read; a lower one than before changes nothing. */
  readonly mailGot: number;
  /** Puts the run down: no owner; `wakeAt` is when somebody must look again (`null`: only on a message). */
  readonly park?: { readonly wakeAt: number | null };
  /** The run was moved to this version of its workflow. */
  readonly version?: string;
}

export interface TurnWrite {
  /** The run's number; for turn 0 the run to make (owned by the writer). */
  readonly run: number | NewRun;
  readonly turn: number;
  /** Epoch that the turn before must carry. */
  readonly after: number;
  /** `after`, or one higher when the turn takes the run or is final; any higher one when it raises. */
  readonly epoch: number;
  readonly pos: number;
  readonly next: number;
  readonly at: number;
  readonly final: boolean;
  /** The turn takes an unowned run for this owner, out of the queue too. */
  readonly take?: boolean;
  /** The owner goes on under a higher epoch, since somebody has seen one. */
  readonly raise?: boolean;
  /** JSON array of facts. */
  readonly facts: string;
  readonly blobs?: readonly Blob[];
  readonly row?: RowChange;
  /** Child runs, owned by the writer, made with this turn; one whose id exists is left as it is and named in the answer. */
  readonly children?: readonly { readonly run: NewRun; readonly first: FirstTurn }[];
  /** Messages for other runs, posted with this turn; for a run that has ended or is unknown they are dropped. */
  readonly messages?: readonly Message[];
  readonly states?: readonly { readonly reducer: string; readonly key: string; readonly state: string }[];
  /** Only on a store for many owners: the turn is what comes of states; its own `facts` is "". */
  readonly fold?: Fold;
  /** With a final turn: the log goes on under the same id. The ended row is renamed `<id>~<runNo>`; unread mail moves along, and keeps its numbers. */
  readonly successor?: { readonly run: NewRun; readonly first: FirstTurn };
}

/** A turn whose facts follow from states that other owners change too: it is made under the locks of their keys. */
export interface Fold {
  /** What is read, without repetition. */
  readonly keys: readonly { readonly reducer: string; readonly key: string }[];
  /**
   * Called in the transaction of the turn, with the states in the order of `keys`; again when that is tried again. It gives
   * the facts, as many as `next - pos`, and the states in the same order; `undefined` leaves one as it is. Throws nothing.
   */
  with(states: readonly (string | undefined)[]): Folded;
}
export interface Folded {
  readonly facts: string;
  readonly blobs?: readonly Blob[];
  readonly states: readonly (string | undefined)[];
}

export type Appended =
  | {
      readonly accepted: true;
      readonly runNo: number;
      /** The turn as it was written, of one with a `fold`. */
      readonly folded?: Pick<TurnRow, "facts" | "blobs">;
      /** Numbers of the children in the order of `children`; `undefined` where the id existed already. */
      readonly children?: readonly (number | undefined)[];
      readonly successorNo?: number;
    }
  /** Another owner wrote first, or the run has ended. Nothing of this turn was written. */
  | { readonly accepted: false; readonly reason: "fenced" }
  /** Turn 0 of an id that exists. Nothing was written. */
  | { readonly accepted: false; readonly reason: "exists"; readonly row: RunRow };

export interface Message {
  readonly runId: string;
  readonly messageId: string;
  readonly kind: "signal" | "cancel" | "child" | "pause" | "resume" | "migrate";
  /** JSON text. */
  readonly body: string;
}

export type Posted = { readonly status: "posted" | "duplicate"; readonly seq: number } | { readonly status: "ended" | "unknown" };

export interface RunRow {
  readonly runNo: number;
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly digest: string;
  readonly status: RunStatus;
  /** Why no process drives it ("VERSION_MISSING"). */
  readonly blocked: string | undefined;
  readonly priority: number;
  readonly createdAt: number;
  readonly endedAt: number | undefined;
  readonly owned: boolean;
  readonly wakeAt: number | undefined;
  readonly mailPut: number;
  readonly mailGot: number;
  readonly parent: string | undefined;
  /** Since when, or from when, it waits in the queue; undefined: it does not. */
  readonly queuedAt: number | undefined;
  readonly concurrency: string | undefined;
  readonly rate: string | undefined;
}

/** How long after its end the id of a run that was pruned is kept, ms, unless said otherwise: 30 days. */
export const keepIdsMs = 30 * 86_400_000;

/** Which of the ended runs are removed, and for how long their ids are kept. */
export interface PruneOptions {
  readonly statuses?: readonly RunStatus[];
  readonly workflow?: string;
  /** Only runs that ended at this time or later: where the last call has stopped. */
  readonly from?: number;
  /** How long after its end the id of a run is kept, ms; default `keepIdsMs`. */
  readonly keepIdsMs?: number;
}

export interface Pruned {
  readonly runs: number;
  /** There is more to remove: call again. */
  readonly more: boolean;
  /** For the next call: nothing before this time is left to remove. */
  readonly from: number;
}

/** Runs of one workflow and status that can be removed. */
export interface PruneGroup {
  readonly workflow: string;
  readonly status: RunStatus;
  readonly runs: number;
  /** When the first and the last of them ended, store time in ms. */
  readonly oldest: number;
  readonly newest: number;
}

export interface TurnRow {
  readonly turn: number;
  readonly epoch: number;
  readonly pos: number;
  readonly next: number;
  readonly at: number;
  readonly final: boolean;
  readonly facts: string;
  /** The values of its facts that stand apart: from a store that cannot be asked for them at once. */
  readonly blobs?: readonly Blob[];
}

export interface MailRow {
  readonly seq: number;
  readonly messageId: string;
  readonly kind: Message["kind"];
  readonly body: string;
}
