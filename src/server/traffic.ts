/** What the server has answered. Routes and statuses are few, so the counts are too. */

export interface Answered {
  readonly method: string;
  /** The path of the route, with its parts in braces; "none" when there was none. */
  readonly route: string;
  readonly status: number;
  readonly count: number;
}

export class Traffic {
  readonly #counts = new Map<string, { -readonly [K in keyof Answered]: Answered[K] }>();
  /** Event streams that are open. */
  streams = 0;

  answered(method: string, route: string, status: number): void {
    // Anybody may make up a method.
    const known = ["GET", "HEAD", "POST", "OPTIONS"].includes(method) ? method : "other";
    const key = `${known} ${route} ${status}`;
    const entry = this.#counts.get(key) ?? { method: known, route, status, count: 0 };
    entry.count++;
    this.#counts.set(key, entry);
  }
  requests(): readonly Answered[] {
    return [...this.#counts.values()];
  }
}
