/** Messages as facts, and facts as messages. */
import type { FactBody, FinalBody } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import type { MailRow } from "../store/store.ts";

export type ResumeBody = { readonly step?: string; readonly as?: "retry" | "fail" | "output"; readonly output?: Json };

/** What a message in the inbox becomes in the log; `run.migrated` is judged before. */
export function mailFact(mail: MailRow): FactBody {
  const body = JSON.parse(mail.body) as never;
  switch (mail.kind) {
    case "signal": {
      const { name, payload } = body as { name: string; payload: Json };
      return { type: "signal.received", seq: mail.seq, name, payload };
    }
    case "cancel": {
      const { reason } = body as { reason?: string };
      return { type: "cancel.requested", ...(reason === undefined ? {} : { reason }) };
    }
    case "child":
      return body as FactBody;
    case "pause": {
      const { reason } = body as { reason?: string };
      return { type: "run.paused", code: "PAUSED", message: reason ?? "paused by hand" };
    }
    case "resume":
      return { type: "run.resumed", ...(body as ResumeBody) };
    case "migrate":
      return { type: "run.migrated", ...(body as { version: string; definition?: string }) };
  }
}

/** The same of a run that nobody can judge: it is not moved. */
export function unmoved(mail: MailRow, message: string): FactBody {
  const fact = mailFact(mail);
  return fact.type === "run.migrated" ? { ...fact, type: "migration.refused", message } : fact;
}

/** What a parent is told of the end of its child. */
export function childEnded(step: string, runId: string, final: FinalBody, workflow: string): FactBody {
  const notUndone = "notUndone" in final && final.notUndone && final.notUndone.length > 0 ? { notUndone: final.notUndone } : {};
  const base = { type: "child.ended", step, runId, ...notUndone } as const;
  switch (final.type) {
    case "run.completed":
      return { ...base, status: "completed", output: workflow === "onex-undo" ? { notUndone: final.notUndone ?? [] } : final.output };
    case "run.failed":
      return { ...base, status: "failed", error: final.error };
    default:
      return { ...base, status: "cancelled", error: { code: "RUN_CANCELLED", message: `the child run ${runId} was cancelled` } };
  }
}
