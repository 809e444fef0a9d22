/** A plan that was made from another text: its parts stand where the parts of that text do. */
import type { Places } from "../fence.ts";
import { nowhere, type Place } from "../finding.ts";

export class Made implements Places {
  readonly #whole = new WeakMap<object, Place>();
  readonly #entries = new WeakMap<object, Map<string | number, Place>>();

  /** Says where a container stands, and each of its entries that has no place of its own. */
  put<T extends object>(container: T, place: Place): T {
    this.#whole.set(container, place);
    return container;
  }
  /** Says where one entry stands. */
  entry(container: object, key: string | number, place: Place): void {
    const entries = this.#entries.get(container) ?? new Map<string | number, Place>();
    this.#entries.set(container, entries);
    entries.set(key, place);
  }

  key(container: object, key: string | number): Place | undefined {
    return this.#entries.get(container)?.get(key) ?? this.#whole.get(container);
  }
  value(container: object, key: string | number): Place | undefined {
    return this.key(container, key);
  }
  /** Its texts are not those of the file, so nothing inside them can be placed. */
  source(): undefined {
    return undefined;
  }
  at(): Place {
    return nowhere;
  }
}
