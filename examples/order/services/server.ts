/**
 * What the three services share: an HTTP server whose operations are safe to repeat.
 *
 * - A key that was seen gets the first answer again.
 * - An undo names the key of the forward call. Finding nothing, it leaves a tombstone: a forward call that comes after
 *   its undo is refused, since nobody would ever take it back.
 * - Every request is in the ledger before its answer leaves.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { exitWithParent, say } from "../processes.ts";
import { delayOf, faultOf } from "./faults.ts";
import { Ledger, type Outcome } from "./ledger.ts";

/** The business says no: the caller must not try again. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export type Operation =
  /** Does it and answers, or throws Refused. */
  | { readonly apply: (body: unknown) => object; readonly takeBack?: never }
  /** Takes back what the forward call with the key `body.key` did and answered. */
  | { readonly takeBack: (answer: object) => void; readonly apply?: never };

interface Answer {
  readonly status: number;
  readonly body: object;
  readonly outcome: Outcome;
}

/** Runs a service as this process: listens on a free port and says which on stdout. */
export function serve(name: string, operations: Readonly<Record<string, Operation>>): void {
  const { values } = parseArgs({
    options: {
      ledger: { type: "string", default: `${name}.jsonl` },
      seed: { type: "string", default: "1" },
      /** A late answer comes this much later than any caller waits. */
      "late-ms": { type: "string", default: "1000" },
      "ignore-keys": { type: "boolean", default: false },
    },
  });
  const seed = Number(values.seed);
  const ledger = new Ledger(values.ledger);
  const keys = new Keys(values["ignore-keys"]);
  const counts = new Map<string, number>();
  let open = 0;
  let busy = 0;
  let leaving = false;
  const leaveWhenDone = () => {
    if (leaving && busy === 0) process.exit(0);
  };

  const server = createServer((request, response) => {
    if (request.url === "/open") return reply(response, 200, { open });
    open++;
    busy++;
    response.once("close", () => open--); // answered, or the caller is gone
    handle(request, response)
      .catch((error: unknown) => reply(response, 500, { code: "BROKEN", message: String(error) }))
      .finally(() => {
        busy--;
        leaveWhenDone();
      });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const op = (request.url ?? "").slice(1);
    const operation = operations[op];
    if (!operation) return reply(response, 404, { code: "NO_SUCH_OPERATION" });
    const body = await bodyOf(request);
    const order = header(request, "x-order");
    const key = header(request, "idempotency-key");
    const count = (counts.get(`${order} ${op}`) ?? 0) + 1;
    counts.set(`${order} ${op}`, count);
    const fault = faultOf(seed, order, op, count);
    const late = fault === "late-answer" || fault === "late-effect";

    await pause(fault === "late-effect" ? Number(values["late-ms"]) : delayOf(seed, order, op, count));
    const answer: Answer =
      fault === "fail" ? { status: 503, body: { code: "UNAVAILABLE" }, outcome: "failed" } : keys.perform(operation, key, body);
    const code = answer.status === 200 ? {} : { code: (answer.body as { code: string }).code };
    const { outcome } = answer;
    ledger.write({
      at: Date.now(),
      service: name,
      op,
      order,
      key,
      epoch: Number(header(request, "x-epoch")),
      attempt: Number(header(request, "x-attempt")),
      outcome,
      late,
      ...code,
    });
    if (fault === "late-answer") await pause(Number(values["late-ms"]));
    reply(response, answer.status, answer.body);
  }

  // Late effects are still to come when the last caller is gone: they belong into the ledger.
  exitWithParent(() => {
    leaving = true;
    leaveWhenDone();
  });
  server.keepAliveTimeout = 60_000; // longer than any pause between two calls: a server that hangs up first looks like a fault
  server.listen(0, "127.0.0.1", () => say({ port: (server.address() as AddressInfo).port }));
}

/** The memory that makes a repeated call harmless. */
class Keys {
  readonly #answers = new Map<string, Answer>();
  readonly #tombstones = new Set<string>();
  readonly #ignored: boolean;

  constructor(ignored: boolean) {
    this.#ignored = ignored;
  }

  perform(operation: Operation, key: string, body: unknown): Answer {
    const first = this.#answers.get(key);
    if (!this.#ignored) {
      if (first) return { ...first, outcome: "duplicate" };
      if (this.#tombstones.has(key)) return { status: 409, body: { code: "TAKEN_BACK" }, outcome: "refused-tombstone" };
    }
    const answer = operation.takeBack ? this.#takeBack(operation.takeBack, (body as { key: string }).key) : apply(operation.apply, body);
    this.#answers.set(key, answer);
    return answer;
  }

  #takeBack(takeBack: (answer: object) => void, forwardKey: string): Answer {
    const forward = this.#answers.get(forwardKey);
    this.#answers.delete(forwardKey);
    this.#tombstones.add(forwardKey);
    if (forward?.outcome !== "applied") return { status: 200, body: { undone: false }, outcome: "tombstone" };
    takeBack(forward.body);
    return { status: 200, body: { undone: true }, outcome: "applied" };
  }
}

function apply(run: (body: unknown) => object, body: unknown): Answer {
  try {
    return { status: 200, body: run(body), outcome: "applied" };
  } catch (error) {
    if (error instanceof Refused) return { status: 422, body: { code: error.code }, outcome: "refused" };
    throw error;
  }
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === "string" ? value : "";
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const part of request.setEncoding("utf8")) text += String(part);
  return JSON.parse(text);
}

function reply(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return; // nobody waits any more
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
