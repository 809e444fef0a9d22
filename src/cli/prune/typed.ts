/** What was typed after `onex prune`. */
import { durationMs } from "../../core/duration.ts";
import type { RunStatus } from "../../core/fact.ts";
import { OnexError } from "../../core/failure.ts";
import { didYouMean } from "../../plan/suggest.ts";
import type { PruneOptions } from "../../store/store.ts";

export interface PruneFlags {
  readonly olderThan?: string;
  readonly status?: string;
  readonly workflow?: string;
  readonly limit?: string;
  readonly keepIds?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly store?: string;
}

const ended: readonly RunStatus[] = ["completed", "failed", "cancelled"];

/** Throws OnexError `USAGE`. */
export function typedOf(flags: PruneFlags): {
  readonly olderThanMs: number;
  readonly limit: number;
  readonly options: PruneOptions;
} {
  const { olderThan, status, workflow, keepIds } = flags;
  if (olderThan === undefined)
    throw new OnexError("USAGE", "prune: say which runs may go: --older-than 30d is those that ended more than 30 days ago");
  const limit = Number(flags.limit ?? Number.POSITIVE_INFINITY);
  if (flags.limit !== undefined && !(Number.isInteger(limit) && limit >= 1))
    throw new OnexError("USAGE", `--limit ${flags.limit}: write a number of runs, from 1`);
  return {
    olderThanMs: ms("--older-than", olderThan),
    limit,
    options: {
      ...(status === undefined ? {} : { statuses: status.split(",").map(statusOf) }),
      ...(workflow === undefined ? {} : { workflow }),
      ...(keepIds === undefined ? {} : { keepIdsMs: ms("--keep-ids", keepIds) }),
    },
  };
}

function ms(flag: string, text: string): number {
  try {
    return durationMs(text);
  } catch {
    throw new OnexError("USAGE", `${flag} ${text}: write a number and s, m, h or d, such as 30d`);
  }
}

function statusOf(text: string): RunStatus {
  const name = text.trim();
  const status = ended.find((one) => one === name);
  if (status) return status;
  throw new OnexError(
    "USAGE",
    `--status ${name}: only runs that have ended are removed: write ${ended.join(", ")}, or some of them with commas between.${didYouMean(name, ended)}`,
  );
}
