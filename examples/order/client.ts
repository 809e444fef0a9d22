/** How effects reach the three services: one HTTP client, handed in as a service. */
import { type EffectContext, Fatal, service } from "onex";

type Call = Pick<EffectContext, "idempotencyKey" | "epoch" | "attempt" | "signal">;

export interface Remote {
  /** Throws Fatal when the business says no, anything else when it may be tried again. */
  send(op: string, order: string, body: object, call: Call): Promise<unknown>;
}

export const warehouse = service<Remote>("warehouse");
export const payment = service<Remote>("payment");
export const shipping = service<Remote>("shipping");

/** A client of the service at `url`. */
export function remote(url: string): Remote {
  return {
    async send(op, order, body, { idempotencyKey, epoch, attempt, signal }) {
      const response = await fetch(`${url}/${op}`, {
        method: "POST",
        signal,
        headers: {
          "content-type": "application/json",
          "idempotency-key": idempotencyKey,
          "x-order": order,
          "x-epoch": String(epoch),
          "x-attempt": String(attempt),
        },
        body: JSON.stringify(body),
      });
      const answer: unknown = await response.json();
      if (response.ok) return answer;
      const { code } = answer as { code: string };
      // 4xx: it did not happen and never will. 5xx: who knows; the key makes another try safe.
      throw response.status < 500 ? new Fatal(code) : new Error(`${op} answered ${response.status} ${code}`);
    },
  };
}
