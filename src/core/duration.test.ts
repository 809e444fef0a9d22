import { expect, test } from "vitest";
import { duration, durationMs } from "./duration.ts";

test.each([
  ["250ms", 250],
  ["30s", 30_000],
  ["1.5m", 90_000],
  ["24h", 86_400_000],
  ["7d", 604_800_000],
  ["0s", 0],
  ["36500d", 3_153_600_000_000],
])("%s", (text, ms) => {
  expect(durationMs(text)).toBe(ms);
  expect(duration(text)).toBe(text);
});

test.each(["", "10", "s", "1 s", "-1s", "1e3s", "10S", "1w", ".5s", "36501d", "NaNs", " 1s"])("%j is refused", (text) => {
  expect(() => durationMs(text)).toThrow(
    expect.objectContaining({ code: "INVALID_DURATION", message: expect.stringContaining(`"${text}"`) }),
  );
});
