/** Operations that were made and never performed: a `yield*` is missing. */
import type { Op } from "./operation.ts";
import { placeOf } from "./place.ts";

export class Forgotten {
  #count = 0;
  /** Known only when tracing. */
  readonly places: string[] = [];

  add(count: number, places: Map<Op, string> | undefined): void {
    this.#count += count;
    if (places) for (const place of places.values()) this.places.push(placeOf(place));
  }
  get any(): boolean {
    return this.#count > 0;
  }
  get message(): string {
    const places = this.places.length > 0 ? `: ${this.places.join(", ")}` : "";
    return `${this.#count} operation${this.#count === 1 ? " was" : "s were"} made and never performed: write \`yield*\` before the call${places}`;
  }
}
