/** `now`, `random` and `uuid` are recorded: a replay gives the same again. */
import { expect, test } from "vitest";
import { now, random, sleep, uuid } from "../../src/index.ts";
import { play } from "./kit.ts";

test("recorded once, the same after a crash", async () => {
  const seen: unknown[][] = [];
  const { t, view } = await play(function* () {
    const values = [yield* now(), yield* random(), yield* uuid()];
    seen.push(values);
    yield* sleep("1h");
    return values;
  });
  await t.crash();
  await t.advance("1h");
  expect(seen.length).toBeGreaterThan(1);
  for (const values of seen) expect(values).toEqual(seen[0]);
  const [time, number, id] = seen[0] as [number, number, string];
  expect(time).toBe(Date.UTC(2030, 0, 1));
  expect(number).toBeGreaterThanOrEqual(0);
  expect(number).toBeLessThan(1);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect((await view()).output).toEqual(seen[0]);
});

test("two draws differ, two seeds differ, one seed does not", async () => {
  const draw = async (seed: number) => {
    const { view } = await play(
      function* () {
        return [yield* random(), yield* random()];
      },
      { seed },
    );
    return (await view()).output as number[];
  };
  const [a, b] = await draw(1);
  expect(a).not.toBe(b);
  expect(await draw(1)).toEqual([a, b]);
  expect(await draw(2)).not.toEqual([a, b]);
});
