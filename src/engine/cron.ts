/** When a schedule ticks. The times are croner's, in the schedule's own zone; which of the missed ones count is said here. */
import { Cron } from "croner";
import { failureOf, OnexError } from "../core/failure.ts";

/** Ticks that `all` starts at most after a downtime. */
const maxMissed = 1000;
/** How late a tick may be for a schedule that catches up with none, ms. */
const punctualMs = 60_000;

/** The tick after a time, ms; undefined: there is none any more. */
export type NextTick = (after: number) => number | undefined;

/** Reads a cron text. Throws OnexError `SCHEDULE_INVALID`. */
export function cronTimes(where: string, cron: string, timezone: string): NextTick {
  if (typeof cron !== "string" || !/^(@|.* )/.test(cron.trim()))
    throw invalid(where, `cron is ${JSON.stringify(cron)}`, 'write "MINUTE HOUR DAY MONTH WEEKDAY", such as "30 2 * * *", or "@daily"');
  try {
    // Intl says so of an unknown zone, and croner only when it is asked for a time.
    new Intl.DateTimeFormat("en", { timeZone: timezone });
  } catch {
    throw invalid(where, `timezone is ${JSON.stringify(timezone)}`, 'write a name of the IANA list, such as "Europe/Berlin"');
  }
  try {
    const times = new Cron(cron, { timezone });
    return (after) => times.nextRun(new Date(after))?.getTime();
  } catch (error) {
    const said = failureOf(error, "").message.replace(/^CronPattern: /, "");
    throw invalid(where, `cron "${cron}" cannot be read: ${said}`, 'write "MINUTE HOUR DAY MONTH WEEKDAY", such as "30 2 * * *"');
  }
}

export function invalid(where: string, what: string, todo: string): OnexError {
  return new OnexError("SCHEDULE_INVALID", `${where}: ${what}: ${todo}`);
}

/**
 * Which of the ticks from `from` to `now` are to be started, oldest first: all that are no older than `withinMs`, the last of
 * them, or none that is more than a minute late.
 */
export function dueTicks(next: NextTick, from: number, now: number, catchUp: "one" | "all" | "none", withinMs: number): number[] {
  const oldest = Math.max(from, now - (catchUp === "none" ? Math.min(withinMs, punctualMs) : withinMs));
  const first = next(oldest - 1);
  if (first === undefined || first > now) return [];
  if (catchUp !== "all") return [lastTick(next, first, now)];
  const ticks: number[] = [];
  for (let at: number | undefined = first; at !== undefined && at <= now && ticks.length < maxMissed; at = next(at)) ticks.push(at);
  return ticks;
}

/** The last tick up to `now`; `first` is one. Time is halved, since a second's schedule has many. */
function lastTick(next: NextTick, first: number, now: number): number {
  const isBefore = (time: number): boolean => (next(time) ?? Number.POSITIVE_INFINITY) <= now;
  if (!isBefore(first)) return first;
  let low = first;
  let high = now;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isBefore(middle)) low = middle;
    else high = middle;
  }
  return high;
}
