/** Schedules of the memory store: a map, looked through. */
import type { ScheduleRow, ScheduleStore } from "./schedule-store.ts";

export class MemorySchedules implements ScheduleStore {
  readonly #rows: Map<string, ScheduleRow>;
  readonly #committed: () => void;

  constructor(rows: Map<string, ScheduleRow>, committed: () => void) {
    this.#rows = rows;
    this.#committed = committed;
  }

  get(id: string): ScheduleRow | undefined {
    return this.#rows.get(id);
  }

  list(): readonly ScheduleRow[] {
    return [...this.#rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  due(now: number): readonly ScheduleRow[] {
    return this.#ticking().filter(({ nextAt }) => nextAt <= now);
  }

  next(after: number): number | undefined {
    return this.#ticking().find(({ nextAt }) => nextAt > after)?.nextAt;
  }

  save(row: ScheduleRow, after: string | undefined): boolean {
    if (this.#rows.get(row.id)?.revision !== after) return false;
    this.#rows.set(row.id, row);
    this.#committed();
    return true;
  }

  remove(id: string): boolean {
    if (!this.#rows.delete(id)) return false;
    this.#committed();
    return true;
  }

  #ticking(): (ScheduleRow & { readonly nextAt: number })[] {
    const ticking = this.list().filter((row): row is ScheduleRow & { readonly nextAt: number } => row.nextAt !== undefined);
    return ticking.sort((a, b) => a.nextAt - b.nextAt);
  }
}
