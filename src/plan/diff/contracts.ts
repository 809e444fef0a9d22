/** Two nodes, compared by their contracts: what they take and give, and what they promise about their calls. */

import type { Contract, EffectContract, WorkflowContract } from "../../node/contract.ts";
import { inputType, outputType } from "../schema-type.ts";
import type { Changes } from "./change.ts";
import { retryText, timeText } from "./text.ts";
import { diffTypes } from "./types.ts";

/** @param what how it is named in front of each change: "effect charge-card". */
export function diffContracts(changes: Changes, what: string, old: Contract, now: Contract): void {
  if (old === now) return;
  changes.value(what, "version", old.version, now.version, "runs");
  if (old.kind !== now.kind) {
    changes.add("~", what, `${old.kind} → ${now.kind}`, "callers", "runs");
    return;
  }
  diffTypes(changes, `${what} input`, inputType(old), inputType(now), "given");
  diffTypes(changes, `${what} output`, outputType(old), outputType(now), "taken");
  const before = promises(old);
  const after = promises(now);
  for (const [name, value] of before) changes.value(what, name, value, after.get(name), "runs");
}

function promises(contract: Contract): Map<string, string | undefined> {
  const { retry, timeout, heartbeat, idempotent, readonly: only, irreversible, inDoubt, undo, undoEvent } = contract;
  const { concurrency, rate } = contract as EffectContract;
  const { onFailure } = contract as Contract & Partial<WorkflowContract>;
  return new Map([
    ["timeout", timeText(timeout)],
    ["retry", retryText(retry)],
    ["heartbeat", timeText(heartbeat)],
    ["idempotent", idempotent === true ? "true" : undefined],
    ["readonly", only === true ? "true" : undefined],
    ["irreversible", irreversible],
    ["inDoubt", inDoubt],
    ["undo", (undo ?? undoEvent) === undefined ? undefined : "declared"],
    ["concurrency", concurrency && String(concurrency.limit)],
    ["rate", rate && `${rate.limit} in ${timeText(rate.perMs)}`],
    ["onFailure", onFailure],
  ]);
}
