import { expect, test } from "vitest";
import type { OwnerView } from "../core/view.ts";
import { styleOf } from "./output.ts";
import { ownerLines } from "./owners.ts";

const plain = styleOf({}, { NO_COLOR: "1" });
const owner = (epoch: number, more: Partial<OwnerView> = {}): OwnerView => ({
  epoch,
  leaseId: `lease-number-${epoch}`,
  taken: epoch === 1 ? "started" : "woken",
  at: epoch * 1000,
  until: epoch * 1000 + 31,
  by: { host: "one", pid: 7 },
  ...more,
});

test("who, how, from when, and what became of it", () => {
  const { until: _, ...last } = owner(3, { taken: "taken over", by: { host: "two", pid: 8 } });
  expect(ownerLines([owner(1), owner(2), last], "has it now", plain)).toEqual([
    "EPOCH  OWNER          LEASE                  FROM                  UNTIL",
    "1      one process 7  …number-1  started     1970-01-01 00:00:01Z  1970-01-01 00:00:01Z, after 31 ms: put down",
    "2      one process 7  …number-2  woken       1970-01-01 00:00:02Z  1970-01-01 00:00:02Z, after 31 ms: its last sign",
    "3      two process 8  …number-3  taken over  1970-01-01 00:00:03Z  has it now",
  ]);
});

test("a log that names no process shows the lease; the last owner of a run that ended is told so", () => {
  const { by: _, ...old } = owner(1);
  expect(ownerLines([old], "put down", plain)[1]).toMatch(/^1 {13}…number-1 {2}started .* after 31 ms: ended$/);
});

test("a long list is shortened, and says so; a name from outside cannot move the cursor", () => {
  const many = Array.from({ length: 20 }, (_, i) => owner(i + 1, { by: { host: "a\u001b[2Jb", pid: 7 } }));
  const lines = ownerLines(many, "put down", plain);
  expect(lines.map((line) => line.split(" ")[0])).toEqual(["EPOCH", "1", "2", "…", "16", "17", "18", "19", "20"]);
  expect(lines[3]).toBe("… 13 more: --json shows all");
  expect(lines.join()).not.toContain("\u001b");
  expect(ownerLines(many.slice(0, 8), "put down", plain)).toHaveLength(9);
});
