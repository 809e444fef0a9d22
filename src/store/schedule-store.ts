/** What a store keeps of schedules. What a spec and a state mean is for those who write them. */
import type { Awaitable } from "./store.ts";

export interface ScheduleRow {
  readonly id: string;
  /** New with every write, and never used twice. */
  readonly revision: string;
  /** When its next tick is due, ms; undefined: never. */
  readonly nextAt: number | undefined;
  /** JSON text. */
  readonly spec: string;
  /** JSON text. */
  readonly state: string;
}

/** Schedules by id; anyone may write them. */
export interface ScheduleStore {
  get(id: string): Awaitable<ScheduleRow | undefined>;
  /** All, by id. */
  list(): Awaitable<readonly ScheduleRow[]>;
  /** Those with `nextAt <= now`, by that time. */
  due(now: number): Awaitable<readonly ScheduleRow[]>;
  /** The earliest `nextAt` above `after`. */
  next(after: number): Awaitable<number | undefined>;
  /** Writes it if the one that is there has the revision `after` (undefined: if there is none). Answers whether it did. */
  save(row: ScheduleRow, after: string | undefined): Awaitable<boolean>;
  /** Answers whether there was one. */
  remove(id: string): Awaitable<boolean>;
}
