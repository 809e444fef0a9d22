/** An orchestrator and a node host in processes of their own: either may die at any moment. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, type Snapshot, snapshot } from "./snapshot.ts";

interface Call {
  readonly pid: number;
  readonly run: string;
  readonly step: number;
  readonly key: string;
  readonly actionId: string;
  readonly leaseId: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly input: { readonly step: number; readonly after: number };
  readonly nonce: number;
}

async function hostAt(given: object): Promise<{ readonly host: Program; readonly port: number }> {
  const host = new Program("host", given);
  const { port } = await host.says("port");
  return { host, port: port as number };
}

test("an orchestrator dies while the host works: the next one joins the work and nothing is done twice", async () => {
  const folder = newFolder();
  const effects = join(folder, "effects");
  const file = join(folder, "test.db");
  const { host, port } = await hostAt({ effects, held: true });
  const url = `http://127.0.0.1:${port}/nodes`;
  const given = { file, url, runs: 3, atOnce: 3, steps: 2 };

  const first = new Program("remote", given);
  await host.says(({ called }) => called === 3);
  first.kill("SIGKILL");
  await first.end("SIGKILL");
  const second = new Program("remote", given);
  // All three are sent again, and join; then the host lets go.
  while (((await (await fetch(`${url}/health`)).json()) as { under_way: number }).under_way !== 3) await pause(20);
  const redelivered = await waitForEpoch(url, effects, 2);
  await fetch(`http://127.0.0.1:${port}/open`);
  await second.end();
  expect(redelivered).toBe(true);
  expect(second.lines.find((line) => "redelivered" in line)).toEqual({ redelivered: 3 });

  const calls = linesOf<Call>(effects);
  expect(calls.length).toBe(6);
  expect(new Set(calls.map(({ actionId }) => actionId)).size).toBe(6);
  expect(calls.filter(({ step }) => step === 0).map(({ epoch, attempt }) => [epoch, attempt])).toEqual(Array(3).fill([1, 1]));
  expect(calls.filter(({ step }) => step === 1).map(({ epoch }) => epoch)).toEqual(Array(3).fill(2));
  checkRuns(await snapshot(file), calls, 3, 2);

  // The owner that died, had it only been slow, could begin nothing more.
  const [old] = calls;
  const stale = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: actionOf(old as Call) });
  expect(stale.status).toBe(409);
  expect(await stale.json()).toMatchObject({ error: { code: "STALE_EPOCH", details: { seen_epoch: 2 } } });
});

test("a host dies while it works: its calls are tried again under the same keys, and all runs end", async () => {
  const folder = newFolder();
  const effects = join(folder, "effects");
  const file = join(folder, "test.db");
  const { host, port } = await hostAt({ effects, held: true });
  const owner = new Program("remote", { file, url: `http://127.0.0.1:${port}/nodes`, runs: 3, atOnce: 3, steps: 2 });
  await host.says(({ called }) => called === 3);
  host.kill("SIGKILL");
  await host.end("SIGKILL");
  await hostAt({ effects, port });
  await owner.end();

  const calls = linesOf<Call>(effects);
  for (let i = 0; i < 3; i++) {
    const [before, after] = calls.filter(({ run, step }) => run === `run-${i}` && step === 0);
    expect(after?.key).toBe(before?.key);
    expect(after?.input).toEqual(before?.input);
    expect(after?.actionId).not.toBe(before?.actionId);
    expect(after?.attempt).toBeGreaterThan(before?.attempt ?? 1);
  }
  const taken = await snapshot(file);
  checkRuns(taken, calls, 3, 2);
  const failed = factsOf(taken, "action.failed").map(({ fact }) => fact);
  expect(failed.filter(({ outcome }) => outcome === "unknown").length).toBe(3);
  for (const { error } of failed) expect(error.code).toBe("NODE_UNREACHABLE");
});

test("both sides are killed again and again: nothing is lost, and nothing recorded is done again", async () => {
  const folder = newFolder();
  const effects = join(folder, "effects");
  const file = join(folder, "test.db");
  const runs = 60;
  const steps = 4;
  // However late the test is with a kill, work is left over for the ones after it.
  const slack = 25;
  let { host, port } = await hostAt({ effects, slack });
  const given = { file, url: `http://127.0.0.1:${port}/nodes`, runs, atOnce: 8, steps };
  let owner = new Program("remote", given);
  for (let kill = 0; kill < 8; kill++) {
    const called = host.lines.filter((line) => "called" in line).length;
    await host.says((line) => (line.called as number) > called + 8);
    if (kill % 2 === 0) {
      owner.kill("SIGKILL");
      await owner.end("SIGKILL");
      owner = new Program("remote", given);
      await fetch(`http://127.0.0.1:${port}/more`);
    } else {
      host.kill("SIGKILL");
      await host.end("SIGKILL");
      ({ host, port } = await hostAt({ effects, port, ...(kill < 7 ? { slack } : {}) }));
    }
  }
  await owner.end();
  const calls = linesOf<Call>(effects);
  checkRuns(await snapshot(file), calls, runs, steps);
  expect(calls.length, "some were done again").toBeGreaterThanOrEqual(runs * steps);
});

/** Sends an abort of an old epoch until the host says that it has seen `epoch` for the first run. */
async function waitForEpoch(url: string, effects: string, epoch: number): Promise<boolean> {
  const runs = new Set(linesOf<Call>(effects).map(({ run }) => run));
  for (const run of runs)
    for (;;) {
      const abort = { action_id: "none", run_id: run, lease_id: "none", epoch: 0, not_after: 0, reason: { code: "X", message: "" } };
      const body = JSON.stringify({ onex: 1, abort });
      const asked = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
      const { error } = (await asked.json()) as { error: { details: { seen_epoch: number } } };
      if (error.details.seen_epoch === epoch) break;
      // The other process is still to begin, and needs the core that asking takes.
      await pause(20);
    }
  return true;
}

/** A new step of that call's run, of the epoch of that call. */
function actionOf({ run, leaseId, epoch }: Call): string {
  return JSON.stringify({
    onex: 1,
    action: {
      action_id: "late",
      action_type: "EXECUTE_SIDE_EFFECT",
      target_node_type: "EFFECT",
      target_node: "work",
      target_version: "1.0.0",
      idempotency_key: "late",
      run_id: run,
      step: "late",
      attempt: 1,
      retry_count: 0,
      delivery: 1,
      lease_id: leaseId,
      epoch,
      correlation_id: run,
      priority: 100,
      timeout_ms: 30_000,
      not_after: Date.now() + 30_000,
      created_at: Date.now(),
      dependencies: [],
      payload: {},
      metadata: { workflow_type: "chain", workflow_version: "1.0.0" },
    },
  });
}

/** Every run completed, each step with one key and one input, fed by the recorded output of the step before. */
function checkRuns(taken: Snapshot, calls: readonly Call[], runs: number, steps: number): void {
  expect(taken.rows.length).toBe(runs);
  expect(taken.rows.filter(({ status }) => status !== "completed")).toEqual([]);
  const recorded = new Map(
    factsOf(taken, "action.completed").map(({ run, fact }) => [`${run} ${fact.step.slice(1)}`, (fact.output as { nonce: number }).nonce]),
  );
  expect(recorded.size).toBe(runs * steps);
  const keys = new Map<string, string>();
  const actions = new Map<string, string>();
  for (const { run, step, key, actionId, attempt, pid, input, nonce: _nonce } of calls) {
    const name = `${run} ${step}`;
    expect(keys.get(name) ?? key, name).toBe(key);
    keys.set(name, key);
    // Within one host an action is done once; a host that died has forgotten it.
    expect(actions.get(`${pid} ${actionId}`), name).toBeUndefined();
    actions.set(`${pid} ${actionId}`, `${name} ${attempt}`);
    expect(input).toEqual({ step, after: step === 0 ? 0 : Math.floor((recorded.get(`${run} ${step - 1}`) ?? Number.NaN) / 2) });
  }
  for (const [name, nonce] of recorded)
    expect(
      calls.filter(({ run, step }) => `${run} ${step}` === name).map((call) => call.nonce),
      name,
    ).toContain(nonce);
  expect(new Set(keys.values()).size).toBe(runs * steps);
  for (const { run, fact } of factsOf(taken, "run.completed"))
    expect(fact.output).toBe(Math.floor((recorded.get(`${run} ${steps - 1}`) ?? Number.NaN) / 2));
}
