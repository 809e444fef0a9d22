/** Tries every property so many times as often as PROPERTY_RUNS says, whatever its own number of runs. */
import type { IRawProperty, Parameters } from "fast-check";
import { vi } from "vitest";

const times = Number(process.env.PROPERTY_RUNS);

vi.mock("fast-check", async (original) => {
  const real = await original<typeof import("fast-check")>();
  const assert = <T>(property: IRawProperty<T>, given: Parameters<T> = {}) =>
    real.assert(property, { ...given, numRuns: (given.numRuns ?? 100) * times });
  return { ...real, default: { ...real.default, assert } };
});
