/** What ended within the last five minutes: a ring of slots, each for ten seconds and cleared when its time comes again. */
import { Outcomes, type RunOutcome } from "./outcomes.ts";

const slotMs = 10_000;
const slots = 30;
/** How far back it looks. */
export const windowMs = slotMs * slots;

export class Window {
  readonly #ring: { outcomes: Outcomes; period: number }[] = [];

  /** @param now monotonic, ms. */
  add(now: number, outcome: RunOutcome, ms: number): void {
    const period = Math.floor(now / slotMs);
    const at = ((period % slots) + slots) % slots;
    const slot = this.#ring[at] ?? { outcomes: new Outcomes(), period };
    this.#ring[at] = slot;
    if (slot.period !== period) {
      slot.outcomes.clear();
      slot.period = period;
    }
    slot.outcomes.add(outcome, ms);
  }

  sum(now: number): Outcomes {
    const sum = new Outcomes();
    const oldest = Math.floor(now / slotMs) - slots;
    // Slots that were never used are holes, which `forEach` passes over.
    this.#ring.forEach(({ outcomes, period }) => {
      if (period > oldest) sum.merge(outcomes);
    });
    return sum;
  }
}
