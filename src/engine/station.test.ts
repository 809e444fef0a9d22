import { expect, test } from "vitest";
import { Slots } from "./slots.ts";
import { Station, Stations } from "./station.ts";

test("a key has one station while anybody uses it; keys that nobody uses are forgotten", () => {
  const stations = new Stations(
    () => new Station(new Slots(1), () => true),
    ({ limit }) => limit.unused,
  );
  const used = stations.of("used");
  used.users++;
  const taken = stations.of("taken");
  taken.limit.take();
  for (let i = 0; i < 10_000; i++) stations.of(`key ${i}`);
  expect(stations.size).toBeLessThan(200);
  expect(stations.of("used")).toBe(used);
  expect(stations.of("taken")).toBe(taken);
});
