/** What this process cannot drive. With many owners that is nobody else's concern: the mark in the row is for people. */
export class Blocks {
  /** "workflow@version" as the store keeps it, of workflows that are not held here. */
  readonly #names = new Set<string>();
  /** Runs that have another reason, with the name of their workflow. */
  readonly #runs = new Map<number, string>();
  names: readonly string[] = [];
  numbers: readonly number[] = [];

  add(runNo: number, name: string, code: string): void {
    if (code === "VERSION_MISSING") this.#names.add(name);
    else this.#runs.set(runNo, name);
    this.#changed();
  }

  remove(held: readonly string[]): void {
    const names = new Set(held);
    for (const name of names) this.#names.delete(name);
    for (const [runNo, name] of this.#runs) if (names.has(name)) this.#runs.delete(runNo);
    this.#changed();
  }

  #changed(): void {
    this.names = [...this.#names];
    this.numbers = [...this.#runs.keys()];
  }
}
