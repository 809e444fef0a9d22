/** A map that never grows beyond `max` names; what comes later shares one entry. */
export class Capped<T> {
  readonly #entries = new Map<string, T>();
  readonly #make: () => T;
  readonly #max: number;
  static readonly rest = "other";

  constructor(make: () => T, max = 1_000) {
    this.#make = make;
    this.#max = max;
  }
  of(name: string): T {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const key = this.#entries.size >= this.#max ? Capped.rest : name;
    const entry = this.#entries.get(key) ?? this.#make();
    this.#entries.set(key, entry);
    return entry;
  }
  find(name: string): T | undefined {
    return this.#entries.get(name) ?? this.#entries.get(Capped.rest);
  }
  /** In the order of their names. */
  entries(): [string, T][] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
