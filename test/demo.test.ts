import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunView } from "onex";
import { describe, expect, test } from "vitest";
import { audit, type Evidence } from "../examples/order/audit.ts";
import type { Entry } from "../examples/order/services/ledger.ts";

const program = fileURLToPath(new URL("../.tmp/examples/order/demo.js", import.meta.url));
if (!existsSync(program)) throw new Error(`${program} is missing: run "npm run build" first`);

interface Shown {
  readonly code: number | null;
  readonly text: string;
  readonly figures: Record<string, number>;
}

/** Runs the demo as a user does. */
function demo(...args: readonly string[]): Promise<Shown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      errors += part;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      const last = text.trimEnd().split("\n").at(-1) ?? "";
      resolve({ code, text: text + errors, figures: last.startsWith("{") ? (JSON.parse(last) as Record<string, number>) : {} });
    });
  });
}

/** What must be so in every run whose services honour keys. */
const sound = { kills: 2, chargedTwice: 0, lost: 0, heldForFailed: 0, stockOff: 0 };
const few = ["--orders", "60", "--every-ms", "25", "--json"];

describe.concurrent("demo", () => {
  test("200 orders, two kills, and the ledgers agree with the runs", async () => {
    const { code, text, figures } = await demo("--json");
    expect(figures, text).toMatchObject({ ...sound, orders: 200 });
    expect(Object.keys(figures)).toEqual([
      "orders",
      "completed",
      "compensated",
      "retries",
      "redelivered",
      "kills",
      "chargedTwice",
      "lost",
      "heldForFailed",
      "stockOff",
      "seconds",
    ]);
    expect(figures.redelivered).toBeGreaterThan(0);
    expect((figures.completed ?? 0) + (figures.compensated ?? 0)).toBe(200);
    const [failed, late, declined] = (/ (\S+) % failed and (\S+) % took effect but answered too late; (\S+) % of orders/.exec(text) ?? [])
      .slice(1)
      .map(Number);
    expect(failed).toBeGreaterThanOrEqual(10);
    expect(late).toBeGreaterThanOrEqual(5);
    expect(declined).toBeGreaterThanOrEqual(10);
    const inFlight = (/calls in flight at the kills: (.*)/.exec(text)?.[1] ?? "").split(", ").map(Number);
    expect(inFlight).toHaveLength(2);
    for (const calls of inFlight) expect(calls).toBeGreaterThanOrEqual(5);
    expect(code).toBe(0);
  });

  test("the workflow in YAML gives the same result as the one in TypeScript", async () => {
    const code = await demo(...few);
    const yaml = await demo(...few, "--yaml");
    for (const shown of [code, yaml]) {
      expect(shown.figures, shown.text).toMatchObject({ ...sound, orders: 60 });
      expect(shown.code).toBe(0);
    }
    expect(yaml.figures.completed).toBe(code.figures.completed);
    expect(yaml.figures.compensated).toBe(code.figures.compensated);
  });

  test("without idempotency keys the ledgers show double charges, and the exit code is 1", async () => {
    const { code, text, figures } = await demo(...few, "--no-idempotency");
    expect(figures.chargedTwice, text).toBeGreaterThan(0);
    expect(figures.kills).toBe(2);
    expect(text).toContain("disagree");
    expect(code).toBe(1);
  });

  test("bad arguments are refused with exit code 2", async () => {
    const dir = mkdtempSync(join(tmpdir(), "onex-demo-test-"));
    try {
      for (const args of [["--orders", "ten"], ["--orders", "3"], ["--unknown"]]) {
        const { code, text } = await demo(...args, "--dir", dir);
        expect(code, text).toBe(2);
        expect(text).toContain("usage: demo");
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("audit", () => {
  const order = (id: string) => ({ id, sku: "lamp", qty: 2, price: 35, card: "card-1", country: "DE" });
  const run = (runId: string, status: RunView["status"]): RunView => ({
    runId,
    workflow: "ship-order",
    version: "1.0.0",
    status,
    steps: [],
    input: null,
    correlationId: runId,
    startedAt: 0,
    notUndone: [],
    epoch: 1,
    retries: 1,
    takeovers: 0,
    owners: [],
    compensated: status === "failed",
  });
  const entry = (orderId: string, op: string, more: Partial<Entry> = {}): Entry => ({
    at: 0,
    service: "any",
    op,
    order: orderId,
    key: `${orderId}/${op}`,
    epoch: 1,
    attempt: 1,
    outcome: "applied",
    late: false,
    ...more,
  });
  const fair: Evidence = {
    orders: [order("good"), order("bad")],
    runs: [run("good", "completed"), run("bad", "failed")],
    entries: [
      entry("good", "reserve"),
      entry("good", "reserve", { epoch: 2, outcome: "duplicate" }),
      entry("good", "charge"),
      entry("good", "book"),
      entry("bad", "reserve"),
      entry("bad", "charge", { outcome: "refused", code: "CARD_DECLINED" }),
      entry("bad", "refund", { outcome: "tombstone" }),
      entry("bad", "charge", { outcome: "refused-tombstone" }),
      entry("bad", "release"),
    ],
    stockAtStart: 10,
    stock: new Map([["lamp", 8]]),
    kills: 2,
  };

  test("finds nothing where nothing is wrong", () => {
    const { figures, problems } = audit(fair);
    expect(problems).toEqual([]);
    expect(figures).toEqual({
      orders: 2,
      completed: 1,
      compensated: 1,
      retries: 2,
      redelivered: 1,
      kills: 2,
      chargedTwice: 0,
      lost: 0,
      heldForFailed: 0,
      stockOff: 0,
    });
  });

  test.each([
    ["a second charge", { entries: [...fair.entries, entry("good", "charge", { attempt: 2 })] }, { chargedTwice: 1 }],
    ["goods that are still held", { entries: fair.entries.filter(({ op }) => op !== "release") }, { heldForFailed: 1 }],
    ["money kept for a failed order", { entries: [...fair.entries, entry("bad", "charge")] }, {}],
    ["a parcel for a failed order", { entries: [...fair.entries, entry("bad", "book")] }, {}],
    ["a completed order that was never shipped", { entries: fair.entries.filter(({ op }) => op !== "book") }, {}],
    ["a run that is missing", { runs: fair.runs.slice(1), stock: new Map([["lamp", 10]]) }, { lost: 1 }],
    ["a run that never ended", { runs: [run("good", "waiting"), run("bad", "failed")], stock: new Map([["lamp", 10]]) }, { lost: 1 }],
    ["a stock level that is off", { stock: new Map([["lamp", 6]]) }, { stockOff: 2 }],
    ["an undo that gave up", { runs: [run("good", "completed"), { ...run("bad", "failed"), notUndone: ["charge-card"] }] }, {}],
    ["kills without a call sent again", { entries: fair.entries.filter(({ epoch }) => epoch === 1) }, { redelivered: 0 }],
  ] satisfies [string, Partial<Evidence>, object][])("finds %s", (_what, change, figures) => {
    const verdict = audit({ ...fair, ...change });
    expect(verdict.problems).toHaveLength(1);
    expect(verdict.figures).toMatchObject(figures);
  });
});
