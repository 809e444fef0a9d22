/**
 * What every store must do, as scenarios for any test runner. A store is right when it passes them:
 *
 *     import { describe, expect, test } from "vitest";
 *     storeSuite({ describe, test, expect }, "memory", { make: () => { const store = memory(); return { store, loseOwner: store.kill }; } });
 */
import type { Awaitable, OpenStore } from "./store.ts";
import { contents } from "./suite/contents.ts";
import { fence } from "./suite/fence.ts";
import { Kit, type Scenario, type Subject, type SuiteRunner } from "./suite/kit.ts";
import { many } from "./suite/many.ts";
import { messages } from "./suite/messages.ts";
import { ownership } from "./suite/ownership.ts";
import { prune } from "./suite/prune.ts";
import { queue } from "./suite/queue.ts";
import { schedules } from "./suite/schedules.ts";

export type { Subject, SuiteRunner } from "./suite/kit.ts";

export interface SuiteOptions {
  /** A fresh and empty store for each scenario. */
  make(): Awaitable<Subject>;
  /** How many processes may own the store. Default "one". */
  readonly owners?: OpenStore["owners"];
  /** Scenarios that the store declines, and why. Those that begin with "refused:" may be, by a store whose owner is the only one by proof. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[];
}

const parts: Readonly<Record<string, readonly Scenario[]>> = {
  ownership,
  "many owners": many,
  "the fence": fence,
  messages,
  "the queue": queue,
  schedules,
  contents,
  retention: prune,
};

/** The names of the scenarios about turns that only the whole fence refuses. */
export const fenceTests: readonly string[] = fence.map((scenario) => scenario.name);

export function storeSuite(runner: SuiteRunner, name: string, options: SuiteOptions): void {
  const declined = new Map<string, string>();
  for (const { reason, tests } of options.skip ?? []) for (const test of tests) declined.set(test, reason);
  const known = new Set(Object.values(parts).flatMap((scenarios) => scenarios.map((scenario) => scenario.name)));
  for (const test of declined.keys())
    if (!known.has(test)) throw new Error(`${name} declines "${test}", which is no scenario of the suite`);

  runner.describe(`store: ${name}`, () => {
    for (const [part, all] of Object.entries(parts)) {
      const scenarios = all.filter(({ owners }) => owners === undefined || owners === (options.owners ?? "one"));
      if (scenarios.length === 0) continue;
      runner.describe(part, () => {
        for (const { name, play } of scenarios) {
          const reason = declined.get(name);
          if (reason !== undefined) runner.skip?.(`${name} (declined: ${reason})`);
          else runner.test(name, () => run(play, options, runner));
        }
      });
    }
  });
}

async function run(play: Scenario["play"], options: SuiteOptions, runner: SuiteRunner): Promise<void> {
  const kit = new Kit(await options.make(), (actual) => runner.expect(actual));
  try {
    await play(kit);
  } finally {
    await kit.finish();
  }
}
