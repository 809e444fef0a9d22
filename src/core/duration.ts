import { OnexError } from "./failure.ts";

/** A length of time as people write it: "250ms", "30s", "5m", "24h", "7d". */
export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const shape = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Checks a duration that came as text. Throws OnexError INVALID_DURATION. */
export function duration(text: string): Duration {
  durationMs(text);
  return text as Duration;
}

/** A duration in milliseconds. Throws OnexError INVALID_DURATION; the longest is 36,500 days. */
export function durationMs(text: string): number {
  const match = shape.exec(text);
  const ms = match ? Number(match[1]) * unitMs[match[2] as keyof typeof unitMs] : Number.NaN;
  if (!(ms <= 36_500 * unitMs.d))
    throw new OnexError("INVALID_DURATION", `"${text}" is not a duration: write a number and ms, s, m, h or d, such as "30s"`);
  return ms;
}
