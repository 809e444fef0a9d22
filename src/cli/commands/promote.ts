/** `onex promote sqlite:FILE postgres://…`: moves all runs of a file into a database, or gives the file back. */
import { resolve } from "node:path";
import { placeOf } from "../../store/postgres/url.ts";
import { abortPromotion, promote as move, type Progress, type PromoteTask, type Survey, survey } from "../../store/promote/promote.ts";
import { consent, here } from "../consent.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean, moment, print, printJson, statusPaint, styleOf, table } from "../output.ts";
import { isAlive } from "../process.ts";
import { type PromoteFlags, typedOf } from "../promote/typed.ts";

/** How often it is said how far it is, ms. */
const sayMs = 1_000;

/** Throws OnexError `USAGE`, and what `promote` and `abortPromotion` of the store throw. */
export async function promote(from: string, to: string, flags: PromoteFlags, terminals = here()): Promise<ExitCode> {
  const { file, url, schema } = typedOf(from, to, flags);
  const task: PromoteTask = {
    file,
    url,
    schema,
    secretKey: process.env.ONEX_SECRET_KEY || undefined,
    host: { now: Date.now, setTimer, warn: (code, message) => say(`${code}: ${message}`) },
    told: teller(),
  };
  const target = placeOf(url, schema);
  if (flags.abort) {
    const aborted = await abortPromotion(task, flags.force === true);
    say(
      aborted
        ? `the promotion is taken back: the runs of ${from} go on in the file`
        : `${from} was not being moved to ${target}; nothing was changed`,
    );
    if (flags.json) printJson({ from, to: target, aborted });
    return exit.done;
  }
  const found = await survey(task);
  if (!flags.json && found.state !== "done") for (const line of lines(found)) print(line);
  if (found.state === "new" || found.state === "aborted") {
    say(`${counted(found)} and all that belongs to them can be moved from ${from} to ${target}`);
    if (found.owner !== undefined && isAlive(found.owner)) say(`process ${found.owner} drives the runs of ${from} now: stop it first`);
  } else if (found.state === "copying") say(`a promotion to ${target} was begun and goes on`);
  if (flags.dryRun) {
    say(
      found.state === "done"
        ? `the runs of ${from} were moved to ${target} before; there is nothing to do`
        : "nothing was moved: this was --dry-run",
    );
    if (flags.json) printJson({ from, to: target, state: found.state, rows: found.rows, statuses: found.statuses });
    return exit.done;
  }
  if (found.state !== "done" && !flags.yes) {
    const agreed = await consent(terminals, `move them to ${target}`, "promote moves all runs");
    if (agreed !== "yes") say("nothing was moved");
    if (agreed !== "yes") return agreed === "no" ? exit.done : exit.interrupted;
  }
  const done = await move(task);
  if (flags.json) printJson({ from, to: target, state: done.when === "now" ? "done" : "done before", at: done.endedAt, rows: done.rows });
  if (done.when === "before") say(`the runs of ${from} were moved to ${target} at ${moment(done.endedAt)}; there is nothing to do`);
  else
    say(
      `${counted(found)} ${found.rows.runs === 1 ? "was" : "were"} moved to ${target}; start your processes with that store${process.env.ONEX_SECRET_KEY ? ", and the ONEX_SECRET_KEY that is set here" : ""}. ${resolve(file)} is only what they were until now, and nothing is written to it any more: keep it as long as you like`,
    );
  return exit.done;
}

function lines({ statuses }: Survey): string[] {
  const style = styleOf(process.stdout);
  const cells = statuses.map(({ status, runs }) => [status, String(runs)]);
  return cells.length === 0
    ? []
    : table(["STATUS", "RUNS"], cells, style, (column, cell) => (column === 0 ? statusPaint(style, cell) : undefined));
}

/** Says now and then how far it is, and when a table is done. */
function teller(): (progress: Progress) => void {
  let last = performance.now();
  return ({ at, rows, of }) => {
    const now = performance.now();
    if (now - last < sayMs) return;
    last = now;
    say(at === "compare" ? `compared ${rows} of ${of} runs` : `copied ${rows} of ${of} rows of ${at}`);
  };
}

function counted({ rows }: Survey): string {
  return rows.runs === 1 ? "1 run" : `${rows.runs ?? 0} runs`;
}

function setTimer(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

function say(line: string): void {
  process.stderr.write(`${clean(line)}\n`);
}
