/**
 * The demo: 200 orders, three services that fail now and then, and an orchestrator that is killed twice. At the end the
 * ledgers of the services are compared with the runs. Exit code 0 only when they agree, 2 for bad arguments.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createOrchestrator, sqlite } from "onex";
import { audit, type Evidence, type Verdict } from "./audit.ts";
import { dbOf, ledgerOf, type Played, play, type Show, services } from "./director.ts";
import { stockAtStart, stockLevel } from "./nodes.ts";
import { readOrders } from "./orders.ts";
import { readLedger } from "./services/ledger.ts";
import { table, weather } from "./table.ts";

const usage = `usage: demo [--orders N] [--seed N] [--every-ms N] [--yaml] [--no-idempotency] [--dir DIR] [--json]
  --orders N         how many of the 200 orders (40 or more, so that two kills fit in); default 200
  --seed N           draws the faults; default 43
  --every-ms N       time between two orders; default 65
  --yaml             run order.yaml instead of workflow.ts
  --no-idempotency   the services ignore idempotency keys: see what goes wrong
  --dir DIR          keep the database and the ledgers there
  --json             print the figures as one object, on the last line`;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readArguments();
  if (typeof options === "string") {
    process.stderr.write(`${options}\n\n${usage}\n`);
    return 2;
  }
  const { show, keep, json } = options;
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 100) / 10;
  const tell = (line: string) => console.log(`${seconds().toFixed(1).padStart(5)} s  ${line}`);
  try {
    tell(
      `${show.orders} orders, seed ${show.seed}, ${show.yaml ? "order.yaml" : "workflow.ts"}${show.keys ? "" : ", without idempotency keys"}`,
    );
    const played = await play(show, tell);
    const verdict = audit(await evidence(show, played));
    const figures = { ...verdict.figures, seconds: seconds() };
    console.log(
      `\n  ${weather(verdict.weather)}\n  calls in flight at the kills: ${played.kills.map(({ callsInFlight }) => callsInFlight).join(", ")}\n\n${table(figures)}\n`,
    );
    console.log(summary(verdict));
    if (json) console.log(JSON.stringify(figures));
    return verdict.problems.length === 0 && played.kills.length === 2 ? 0 : 1;
  } finally {
    if (!keep) rmSync(show.dir, { recursive: true, force: true });
  }
}

function summary({ problems }: Verdict): string {
  if (problems.length === 0) return "  ✓ the ledgers agree with the runs";
  const shown = problems.slice(0, 10).map((problem) => `  ✗ ${problem}`);
  const more = problems.length > shown.length ? [`  … and ${problems.length - shown.length} more`] : [];
  return ["  ✗ the ledgers and the runs disagree:", ...shown, ...more].join("\n");
}

/** Reads what is left when all processes are gone. No workflow is given, so nothing can be driven any further. */
async function evidence(show: Show, played: Played): Promise<Evidence> {
  const orders = readOrders(show.orders);
  const reader = createOrchestrator({ store: sqlite(dbOf(show.dir)), nodes: [stockLevel] });
  try {
    const rows = await reader.list({ limit: 1_000 });
    const runs = await Promise.all(rows.map(({ id }) => reader.run(id).status()));
    const skus = [...new Set(orders.map(({ sku }) => sku))];
    const levels = await Promise.all(skus.map(async (sku) => [sku, (await reader.read(stockLevel, sku)).onHand] as const));
    const entries = services.flatMap((service) => readLedger(ledgerOf(show.dir, service)));
    return { orders, runs, entries, stockAtStart, stock: new Map(levels), kills: played.kills.length };
  } finally {
    await reader.close();
  }
}

function readArguments(): { readonly show: Show; readonly keep: boolean; readonly json: boolean } | string {
  try {
    const { values } = parseArgs({
      options: {
        orders: { type: "string", default: "200" },
        seed: { type: "string", default: "43" },
        "every-ms": { type: "string", default: "65" },
        yaml: { type: "boolean", default: false },
        "no-idempotency": { type: "boolean", default: false },
        dir: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    const orders = whole(values.orders, "--orders", 40, 200);
    const seed = whole(values.seed, "--seed", 0, 2 ** 31);
    const everyMs = whole(values["every-ms"], "--every-ms", 0, 1_000);
    if (values.dir !== undefined) mkdirSync(values.dir, { recursive: true });
    const dir = values.dir ?? mkdtempSync(join(tmpdir(), "onex-demo-"));
    return {
      show: { orders, seed, everyMs, yaml: values.yaml, keys: !values["no-idempotency"], dir },
      keep: values.dir !== undefined,
      json: values.json,
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function whole(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`${name} is a whole number from ${least} to ${most}, not "${text}"`);
}
