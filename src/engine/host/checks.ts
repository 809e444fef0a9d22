/** What a node host checks before it takes anything: its options, its nodes, and that headers and body agree. */
import { OnexError } from "../../core/failure.ts";
import { shown } from "../../core/fields.ts";
import type { Contract } from "../../node/contract.ts";
import type { Action } from "../action.ts";
import { mayBeRemote } from "../client/endpoints.ts";
import type { Services } from "../services.ts";
import { checkSecret } from "../signature.ts";
import type { Caller } from "./door.ts";
import type { NodeHostOptions } from "./host.ts";
import { Refusal } from "./refusal.ts";

export const hostFields: readonly (keyof NodeHostOptions)[] = [
  "nodes",
  "provide",
  "secret",
  "log",
  "maxValueBytes",
  "maxRecordBytes",
  "record",
  "maxCalls",
  "maxOpenStreams",
  "abortGraceMs",
];

/** Throws OnexError `REMOTE_REFUSED`, `SERVICE_MISSING`. */
export function checkServed(contract: Contract, services: Services): void {
  const { kind, name } = contract;
  if (!mayBeRemote(kind))
    throw new OnexError(
      "REMOTE_REFUSED",
      `${kind} ${name} cannot be served by a node host: ${kind === "reducer" ? "its state is written with the turn that causes it" : "its runs are driven by whoever owns the store"}; give it to createOrchestrator`,
    );
  const missing = services.missing(contract);
  if (missing !== undefined)
    throw new OnexError(
      "SERVICE_MISSING",
      `${kind} ${name} uses the service "${missing}", which nobody provides: add ${missing}.from(…) to \`provide\``,
    );
}

/** The secrets that open; none where nobody has to sign. Throws OnexError `OPTION_INVALID`. */
export function secretsOf(given: unknown): readonly string[] {
  const list = given === undefined ? [] : Array.isArray(given) ? given : [given];
  if (given !== undefined && list.length === 0)
    throw new OnexError("OPTION_INVALID", "secret is an empty list: nobody could sign; leave it out, or give one");
  return list.map((secret) => checkSecret("secret", secret));
}

/** Throws Refusal for a body that is about something else than its headers. */
export function checkSame(caller: Caller, { actionId, epoch }: Pick<Action, "actionId" | "epoch">): void {
  if (caller.actionId === actionId && caller.epoch === epoch) return;
  throw new Refusal(401, {
    code: "SIGNATURE_INVALID",
    message: `the headers say action ${caller.actionId} and epoch ${caller.epoch}, and the body says ${actionId} and ${epoch}`,
  });
}

/** Throws OnexError `OPTION_INVALID`. */
export function checkRange(name: string, value: number, least: number, most: number): void {
  if (!(value >= least && value <= most))
    throw new OnexError("OPTION_INVALID", `${name} is ${shown(value)}: give a number from ${least} to ${most}`);
}
