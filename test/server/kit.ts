/** What the tests of the HTTP API share: an orchestrator in memory behind an app, and requests to it. */
import { onTestFinished } from "vitest";
import { z } from "zod";
import { createOrchestrator, effect, Fatal, memory, type Orchestrator, restart, signal, workflow } from "../../src/index.ts";
import type { AppOptions } from "../../src/server/app.ts";
import { createApp } from "../../src/server/app.ts";

/** Ends what a test began, after it: the newest first. */
export function after(close: () => Promise<unknown>): void {
  onTestFinished(async () => void (await close()));
}

const silent = (): void => {};
export const quiet = { debug: silent, info: silent, warn: silent, error: silent };

export const act = effect(
  { name: "act", input: z.object({ amount: z.number() }), idempotent: true, readonly: true },
  async ({ amount }) => ({ twice: 2 * amount }),
);
export const go = signal({ name: "go", payload: z.object({ by: z.string() }) });

const input = z.object({ amount: z.number() });
/** Ends at once. */
export const quick = workflow({ name: "quick", input, output: z.object({ twice: z.number() }) }, function* ({ amount }) {
  return yield* act({ amount });
});
/** Waits for the signal `go`. */
export const patient = workflow({ name: "patient", input }, function* ({ amount }) {
  yield* act({ amount });
  const { by } = yield* go.wait();
  return { by };
});
export const failing = workflow({ name: "failing", input }, function* ({ amount }) {
  yield* act({ amount });
  throw new Fatal("TOO_MUCH", { message: "it is too much" });
});
/** Goes on in a second log, and waits there. */
export const twofold = workflow({ name: "twofold", input: z.object({ round: z.number() }) }, function* ({ round }) {
  yield* act({ amount: round });
  if (round === 0) yield* restart({ round: 1 });
  yield* go.wait();
  return round;
});
/** Many turns: so many calls, one after the other. */
export const long = workflow({ name: "long", input: z.object({ steps: z.number() }) }, function* ({ steps }) {
  for (let i = 0; i < steps; i++) yield* act({ amount: i });
  yield* go.wait();
});

export const nodes = [quick, patient, failing, twofold, long];

export interface Stand {
  readonly orchestrator: Orchestrator;
  readonly app: ReturnType<typeof createApp>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Starts a run through the API; answers its id. */
  start(workflow: string, input: unknown): Promise<string>;
}

export function stand(options: AppOptions = {}, given: Partial<Parameters<typeof createOrchestrator>[0]> = {}): Stand {
  const orchestrator = createOrchestrator({ store: memory(), nodes, log: quiet, ...given });
  after(() => orchestrator.close({ graceMs: 0 }));
  const app = createApp(orchestrator, { log: quiet, version: "1.2.3", ...options });
  const ask = (path: string, init: RequestInit) => app.fetch(new Request(`http://127.0.0.1:3300${path}`, init));
  const post: Stand["post"] = (path, body, headers = {}) =>
    ask(path, {
      method: "POST",
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  return {
    orchestrator,
    app,
    get: (path, headers = {}) => ask(path, { headers }),
    post,
    async start(workflow, input) {
      const response = await post("/api/v1/runs", { workflow, input });
      const { runId } = (await response.json()) as { readonly runId?: string };
      if (runId === undefined) throw new Error(`${workflow} was not started: ${response.status}`);
      return runId;
    },
  };
}

/** The status and body of an answer, and of a problem its code. */
export async function told(
  response: Response,
): Promise<{ readonly status: number; readonly body: never; readonly code: string | undefined }> {
  const text = await response.text();
  const body = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, body: body as never, code: (body as { readonly code?: string } | undefined)?.code };
}
