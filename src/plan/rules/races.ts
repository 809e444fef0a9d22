/** Races that are decided before they begin. */
import type { Step } from "../flow.ts";
import { leastOf, mostMs, sayMs } from "../timing.ts";
import { constantOf } from "./fate.ts";
import { placeOf } from "./reach.ts";
import type { Family } from "./rules.ts";
import type { Around } from "./walk.ts";

type Race = Step["verb"] & { readonly kind: "race" };

export const races: Family = ({ findings, flow }) => {
  const say = (place: Step["place"], message: string) => findings.warn("RACE_DECIDED", place, message);

  function race({ branches }: Race, { label }: Around): void {
    const all = [...branches];
    const [only] = all;
    if (all.length === 1 && only)
      return say(only[1].place, `${label} is a race with one branch; write "${only[0]}" as a step of its own, or add who runs against it`);
    for (const [key, { when }] of all)
      if (when && constantOf(when) === undefined)
        say(
          placeOf(when),
          `a branch that is skipped ends at once and wins: where this \`when\` does not hold, "${key}" wins with null; write \`when\` on ${label}, or choose with a switch`,
        );
    const [winner] = all.map(([key, step]) => ({ key, step, mostMs: mostMs(step) })).sort((a, b) => a.mostMs - b.mostMs);
    if (!winner || winner.step.when) return;
    for (const [key, step] of all) {
      if (key === winner.key || step.when) continue;
      const { ms } = leastOf(step);
      if (ms > winner.mostMs || (winner.mostMs === 0 && callsOut(step)))
        say(
          step.place,
          `"${key}" can never win: it ${ms > 0 ? `takes at least ${sayMs(ms)}` : "calls a node"}, and "${winner.key}" ends ${winner.mostMs === 0 ? "at once" : `after ${sayMs(winner.mostMs)} at the latest`}`,
        );
    }
    const calls = all.filter(([, step]) => callsOut(step));
    if (flow.concurrency === 1 && calls.length > 1)
      say(
        calls[1]?.[1].place ?? only?.[1].place ?? flow.places.file,
        `"${calls[1]?.[0]}" begins when "${calls[0]?.[0]}" has ended: the contract says \`concurrency: 1\`, so they never run side by side; raise it`,
      );
  }

  return {
    step(step, around) {
      if (step.verb.kind === "race") race(step.verb, around);
    },
  };
};

/** Its answer comes from outside, so never at once. */
function callsOut({ verb, onError }: Step): boolean {
  return verb.kind === "call" && (verb.node === "effect" || verb.node === "workflow") && typeof onError === "string";
}
