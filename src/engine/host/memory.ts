/**
 * What a node host remembers of the work it was given, and for how long.
 *
 * M1 Of each run the highest epoch that was seen, and the lease that held it: older owners are refused.
 * M2 Of each action its answer, once it has one; until then who waits for it.
 * M3 Nothing is forgotten before its action's `notAfter` and five minutes: until then a delivery may still come.
 *    When the bound is reached new work is refused instead.
 */
import type { Failure } from "../../core/failure.ts";
import { Heap } from "../../core/heap.ts";

/** How much longer than an action may live its traces are kept, ms. */
export const keptMs = 5 * 60_000;
/** How much longer than it must a record keeps an owner, ms: then the next actions of the run need not write it again. */
const slackMs = 10 * 60_000;
/** About what a record costs beside its texts. */
const recordBytes = 512;

export interface Fence {
  readonly epoch: number;
  readonly leaseId: string;
}
/** Something that is remembered until a time. */
interface Kept {
  readonly until: number;
  readonly forget: () => void;
}

export class Memory<Work> {
  readonly #maxBytes: number;
  /** `recorded`: so long whoever records it has been told to keep it. */
  readonly #fences = new Map<string, Fence & { readonly until: number; readonly recorded: number }>();
  readonly #works = new Map<string, { readonly work: Work; bytes: number; until: number; queued: boolean }>();
  /** Keys that were undone and actions that were given up: late ones are refused. */
  readonly #tombs = new Map<string, { readonly why: Failure; readonly until: number }>();
  readonly #kept = new Heap<Kept>((a, b) => a.until < b.until);
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#works.size;
  }
  get bytes(): number {
    return this.#bytes;
  }

  /** Forgets what may be forgotten by `now`, ms since 1970. */
  sweep(now: number): void {
    for (let first = this.#kept.first; first && first.until <= now; first = this.#kept.first) {
      this.#kept.pop();
      first.forget();
    }
  }
  /** Undefined while there is room; else in how many ms some may be made. */
  full(now: number): number | undefined {
    if (this.#bytes < this.#maxBytes) return undefined;
    return Math.max(1_000, (this.#kept.first?.until ?? now) - now);
  }

  fence(runId: string): Fence | undefined {
    return this.#fences.get(runId);
  }
  /**
   * Remembers an owner of the run that is at least as young as the one before. Answers until when it must be recorded, where
   * what was answered before does not do.
   * @param slack of what is read from a record 0: it holds what it holds.
   */
  raise(runId: string, { epoch, leaseId }: Fence, notAfter: number, slack = slackMs): number | undefined {
    const before = this.#fences.get(runId);
    const until = Math.max(before?.until ?? 0, notAfter + keptMs);
    const same = before?.epoch === epoch && before.leaseId === leaseId;
    const told = same && until <= before.recorded;
    const recorded = told ? before.recorded : until + slack;
    this.#fences.set(runId, { epoch, leaseId, until, recorded });
    if (!before) this.#keepFence(runId);
    return told ? undefined : recorded;
  }
  #keepFence(runId: string): void {
    this.#bytes += recordBytes;
    this.#keepWhile(
      () => this.#fences.get(runId)?.until ?? 0,
      () => {
        this.#fences.delete(runId);
        this.#bytes -= recordBytes;
      },
    );
  }

  work(actionId: string): Work | undefined {
    return this.#works.get(actionId)?.work;
  }
  begin(actionId: string, work: Work, bytes: number, notAfter: number): void {
    this.#works.set(actionId, { work, bytes: bytes + recordBytes, until: notAfter + keptMs, queued: false });
    this.#bytes += bytes + recordBytes;
  }
  /** It was delivered again; true when that was with more time. */
  extend(actionId: string, notAfter: number): boolean {
    const kept = this.#works.get(actionId);
    if (!kept || kept.until >= notAfter + keptMs) return false;
    kept.until = notAfter + keptMs;
    return true;
  }
  /** Until when it is remembered, ms since 1970. */
  until(actionId: string): number {
    return this.#works.get(actionId)?.until ?? 0;
  }
  /** It is answered: from now on it costs what its answer costs, until it is answered otherwise. */
  end(actionId: string, bytes: number): void {
    const kept = this.#works.get(actionId);
    if (!kept) return;
    this.#bytes += bytes + recordBytes - kept.bytes;
    kept.bytes = bytes + recordBytes;
    if (kept.queued) return;
    kept.queued = true;
    this.#keepWhile(
      () => kept.until,
      () => {
        this.#works.delete(actionId);
        this.#bytes -= kept.bytes;
      },
    );
  }

  /** Why work under this key or action must not begin. */
  tomb(key: string): Failure | undefined {
    return this.#tombs.get(key)?.why;
  }
  bury(key: string, why: Failure, notAfter: number): void {
    const until = notAfter + keptMs;
    const before = this.#tombs.get(key);
    if (before && before.until >= until) return;
    this.#tombs.set(key, { why, until });
    if (before) return;
    this.#bytes += recordBytes;
    this.#keepWhile(
      () => this.#tombs.get(key)?.until ?? 0,
      () => {
        this.#tombs.delete(key);
        this.#bytes -= recordBytes;
      },
    );
  }

  /** One entry for each thing that is remembered, however often its time is put off. */
  #keepWhile(until: () => number, forget: () => void): void {
    const due = until();
    this.#kept.push({ until: due, forget: () => (until() > due ? this.#keepWhile(until, forget) : forget()) });
  }
}
