/**
 * `npm run bench -- [NAME…] [--store sqlite|postgres] [--rounds N] [--json]`: medians of interleaved rounds, so that a change of the machine's mood
 * meets all cases alike. Quote the ratios; absolute figures are this machine's, today.
 */
import { parseArgs } from "node:util";
import { check } from "./cases/check.ts";
import { elsewhere, playRole } from "./cases/elsewhere.ts";
import { fanout } from "./cases/fanout.ts";
import { limit } from "./cases/limit.ts";
import { long } from "./cases/long.ts";
import { sequential } from "./cases/sequential.ts";
import { sleepers } from "./cases/sleepers.ts";
import { pure, throughput } from "./cases/throughput.ts";
import { type Goal, goals } from "./goals.ts";
import { type Figures, medians } from "./stats.ts";
import { type StoreKind, stopServer } from "./store.ts";

// As in production: without the guard that finds nondeterminism while developing.
process.env.NODE_ENV ??= "production";

const cases: Readonly<Record<string, (store: StoreKind) => Promise<Figures>>> = {
  ...{ limit, sequential, throughput, pure, fanout, long, elsewhere, check, sleepers },
};
/** It takes two minutes, so it is measured once. */
const once = new Set(["sleepers"]);

// Some cases measure what passes between processes.
if (await playRole(process.argv[2], process.argv[3])) process.exit(0);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    store: { type: "string", default: "sqlite" },
  },
});
const store = values.store as StoreKind;
const unknown = positionals.filter((name) => !Object.hasOwn(cases, name));
const rounds = Number(values.rounds);
if (unknown.length > 0) refuse(`there is no bench "${unknown.join('", "')}": choose of ${Object.keys(cases).join(", ")}`);
if (!(Number.isInteger(rounds) && rounds > 0)) refuse("--rounds is a whole number of at least 1");
if (store !== "sqlite" && store !== "postgres") refuse(`--store is sqlite or postgres, and not "${values.store}"`);

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

const names = positionals.length === 0 ? Object.keys(cases) : Object.keys(cases).filter((name) => positionals.includes(name));

const measured = new Map<string, Figures[]>(names.map((name) => [name, []]));
for (let round = 1; round <= rounds; round++)
  for (const name of names) {
    if (once.has(name) && round < rounds) continue;
    console.error(`round ${round} of ${rounds}: ${name}`);
    measured.get(name)?.push(await (cases[name] as (store: StoreKind) => Promise<Figures>)(store));
  }

await stopServer();

const result = Object.fromEntries([...measured].map(([name, figures]) => [name, medians(figures)]));
for (const [name, figures] of Object.entries(result)) {
  console.log(name);
  for (const [figure, value] of Object.entries(figures)) console.log(`  ${figure.padEnd(26)} ${value.toLocaleString("en-US")}`);
}
const met: Goal[] = goals(result, store);
if (met.length > 0) console.log("\nagainst the limit of the same run");
for (const goal of met) console.log(`  ${goal.met ? "met   " : "MISSED"} ${goal.what}: ${goal.value} (${goal.wanted})`);
if (values.json) console.log(JSON.stringify({ store, ...result }));
