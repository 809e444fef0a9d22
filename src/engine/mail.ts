/** Messages as facts, and facts as messages. */
import type { FactBody } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import type { MailRow } from "../store/store.ts";

export type ResumeBody = { readonly step?: string; readonly as?: "retry" | "fail" | "output"; readonly output?: Json };

/** What a message in the inbox becomes in the log. */
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
  }
}
