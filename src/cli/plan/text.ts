/** The outlook of a flow as people read it. */
import { durationMs } from "../../core/duration.ts";
import { notesOf } from "../../plan/outlook/notes.ts";
import type { Outlook } from "../../plan/outlook/outlook.ts";
import { type Spot, spotsIn, verbWords } from "../../plan/outlook/spot.ts";
import type { Span } from "../../plan/outlook/time.ts";
import type { Taken, Undone, UndoPlan } from "../../plan/outlook/undo.ts";
import { waitsFor, wavesOf } from "../../plan/outlook/waves.ts";
import { sayMs } from "../../plan/timing.ts";
import { clean } from "../output.ts";
import { type Page, wordsOf, wrapped } from "./page.ts";

/** All of it, as lines. */
export function outlookLines(outlook: Outlook, page: Page): string[] {
  return [...head(outlook, page), "", ...orderLines(outlook, page), "", ...timeLines(outlook, page), "", ...undoLines(outlook, page)];
}

function head({ flow, run, concurrency, unknown }: Outlook, page: Page): string[] {
  const { bold, yellow } = page.style;
  const steps = [...spotsIn(run)].length - 1;
  const facts = [
    steps === 1 ? "1 step" : `${steps} steps`,
    concurrency === 1 ? "one call at once" : `at most ${concurrency} calls at once`,
    flow.timeout === undefined ? "no timeout" : `timeout ${sayMs(durationMs(flow.timeout))}`,
  ];
  const lines = wrapped(`${bold(clean(`${flow.name} ${flow.version}`))}: `, facts, page, ", ");
  if (unknown.length > 0)
    lines.push(
      ...wrapped(
        yellow("? "),
        `these nodes are not given, so what they say of times and undo is not known (--nodes MODULE): ${unknown.map(clean).join(", ")}`.split(
          " ",
        ),
        page,
        " ",
      ),
    );
  return lines;
}

interface Row {
  readonly wave: string;
  readonly name: string;
  readonly what: string;
  readonly notes: string;
}

function orderLines({ run }: Outlook, page: Page): string[] {
  const { bold, dim, cyan } = page.style;
  const rows: Row[] = [];
  blockRows(run, "", 0, rows);
  const wide = (of: (row: Row) => string, most: number) => Math.min(most, Math.max(...rows.map((row) => of(row).length)));
  const waveWidth = wide(({ wave }) => wave, 12);
  const nameWidth = wide(({ name }) => name, 32);
  const whatWidth = wide(({ what }) => what, 36);
  return [
    `${bold("ORDER")}  ${dim("steps of one number can begin together")}`,
    ...rows.flatMap(({ wave, name, what, notes }) => {
      const lead = `  ${dim(wave.padEnd(waveWidth))}  ${cyan(name.padEnd(nameWidth))}  `;
      if (notes === "") return [lead + what];
      const words = wordsOf(notes).map(dim);
      // Where nothing much fits beside it, it stands below.
      if (page.width - waveWidth - nameWidth - Math.max(whatWidth, what.length) - 8 >= leastRoom)
        return wrapped(`${lead}${what.padEnd(whatWidth)}  `, words, page, " ");
      return [lead + what, ...wrapped(" ".repeat(waveWidth + 8), words, page, " ")];
    }),
  ];
}

/** Columns that notes need beside a step. */
const leastRoom = 24;

function blockRows(block: Spot, prefix: string, depth: number, rows: Row[]): void {
  wavesOf(block).forEach((wave, i) => {
    wave.forEach((spot, j) => {
      spotRows(spot, `${prefix}${i + 1}`, j === 0, depth, rows);
    });
  });
}

function spotRows(spot: Spot, wave: string, shown: boolean, depth: number, rows: Row[], lead = ""): void {
  rows.push({
    wave: shown ? wave : "",
    name: `${"  ".repeat(depth)}${lead}${clean(spot.name)}`,
    what: clean(verbWords(spot)),
    notes: clean(rowNotes(spot).join(" · ")),
  });
  if (spot.step.verb.kind === "steps") blockRows(spot, wave === "" ? "" : `${wave}.`, depth + 1, rows);
  else for (const inner of spot.inner) spotRows(inner, wave, false, depth + 1, rows, leads[inner.role] ?? "");
  if (spot.error) spotRows(spot.error, wave, false, depth + 1, rows, "on error: ");
}

const leads: Partial<Record<Spot["role"], string>> = { case: "case ", item: "do ", turn: "do ", stream: "from " };

/** What it waits for, then what it says itself. */
function rowNotes(spot: Spot): string[] {
  const { all, any, count } = waitsFor(spot);
  const after = all.length > 0 ? [`after ${all.join(", ")}`] : [];
  if (any.length > 0) after.push(`after ${count} of ${any.join(", ")}`);
  return [...after, ...notesOf(spot)];
}

function timeLines({ longest }: Outlook, page: Page): string[] {
  const { bold, dim, yellow } = page.style;
  const { way, endless, timeoutMs, mostMs, leastMs } = longest;
  const lines = wrapped(
    `${bold("TIME")}  `,
    wordsOf("at most, as declared; waiting for a slot, computes and undoing are not counted").map(dim),
    page,
    " ",
  );
  const timed = way.filter(({ span }) => span.mostMs > 0);
  const open = mostMs === Number.POSITIVE_INFINITY;
  const told = endless.filter(({ unknown }) => !unknown);
  const unknown = endless.length - told.length;
  const total = !open ? sayMs(mostMs) : told.length === 0 ? "not known" : "no end";
  const limit = timeoutMs === undefined ? "the run has no timeout" : `the run is ended after ${sayMs(timeoutMs)}`;
  const over = !open && timeoutMs !== undefined && mostMs > timeoutMs;
  const said = over ? `${total}: longer than the run may take, ${limit}` : `${total}; ${limit}`;
  lines.push(...wrapped("  longest way  ", wordsOf(said).map(over ? yellow : (word) => word), page, " "));
  const parts = wayParts(timed, page);
  const nameWidth = Math.max(0, ...parts.map(({ who }) => who.length));
  const spanWidth = Math.max(0, ...parts.map(({ long }) => long.length));
  for (const { who, long, why } of parts)
    lines.push(...wrapped(`    ${who.padEnd(nameWidth)}  ${long.padEnd(spanWidth)}  `, wordsOf(why).map(dim), page, " "));
  if (leastMs > 0) lines.push(`  at least     ${sayMs(leastMs)} when all of it completes`);
  for (const [i, { spot, why }] of told.entries())
    lines.push(...wrapped(i === 0 ? "  no end in    " : "               ", wordsOf(`${clean(spot.path)}: ${clean(why)}`), page, " "));
  if (unknown > 0)
    lines.push(`  not known    ${unknown === 1 ? "one step, whose node is" : `${unknown} steps, whose nodes are`} not given`);
  return lines;
}

interface Part {
  readonly who: string;
  readonly long: string;
  readonly why: string;
}

/** What takes the time; steps that take the same are told together. */
function wayParts(timed: Outlook["longest"]["way"], { all }: Page): Part[] {
  const same = new Map<string, { readonly names: string[]; readonly span: Span }>();
  for (const [i, { spot, span }] of timed.entries()) {
    const key = all ? String(i) : `${spanWords(span)} ${span.why}`;
    const list = same.get(key) ?? { names: [], span };
    list.names.push(clean(spot.name));
    same.set(key, list);
  }
  return [...same.values()].map(({ names, span }) => ({
    who: names.length > 2 ? `${names[0]} and ${names.length - 1} more` : names.join(" and "),
    long: `${spanWords(span)}${names.length > 1 && span.mostMs !== Number.POSITIVE_INFINITY ? " each" : ""}`,
    why: span.why,
  }));
}

function spanWords({ mostMs, endless }: Span): string {
  return mostMs === Number.POSITIVE_INFINITY && endless.every(({ unknown }) => unknown) ? "not known" : sayMs(mostMs);
}

function undoLines({ undo, onFailure, unknown }: Outlook, page: Page): string[] {
  const { bold, dim } = page.style;
  const say = (text: string) => wrapped("  ", wordsOf(text).map(dim), page, " ");
  const lines = wrapped(`${bold("UNDO")}  `, wordsOf("what is taken back when a step fails for good, newest first").map(dim), page, " ");
  const likely = undo.filter((plan) => plan.likely);
  // Steps that fail with the same consequences are told together.
  const together = new Map<string, { readonly who: string[]; readonly plan: UndoPlan }>();
  for (const plan of likely) {
    const key = consequences(plan, { ...page, all: true }).join("\n");
    const same = together.get(key) ?? { who: [], plan };
    same.who.push(causeWords(plan));
    together.set(key, same);
  }
  const told = [...together];
  const skipped = page.all || told.length <= most.failures ? 0 : told.length - most.failures + 1;
  let short = skipped > 0;
  for (const [i, [key, { who, plan }]] of told.entries()) {
    if (i === told.length - 1 && skipped > 0) lines.push(`  ${dim(`… and ${skipped} more between these`)}`);
    if (i >= told.length - 1 - skipped && i < told.length - 1) continue;
    const names = few(who, page);
    const said = consequences(plan, page);
    short ||= names.length < who.length || said.join("\n") !== key;
    lines.push(...wrapped("  ", names.map(bold), page, ", "), ...said);
  }
  if (short && !page.all) lines.push(...say("--all tells what is left out here"));
  if (likely.length === 0) lines.push(...say("no step of it fails but by a mistake in code or in an expression"));
  else if (likely.length < undo.length)
    lines.push(...say("computes, reads and values fail only by a mistake in code or in an expression: --json has their plans too"));
  if (unknown.length > 0) lines.push(...say("?: as its node says, which is not given"));
  if (onFailure === "stop")
    lines.push(...say("onFailure: stop: what the run itself holds stays; groups, branches and items still take back their own"));
  return lines;
}

/** How much is told without `all`. */
const most = { failures: 12, parts: 8 };

/** The first of many and the last. */
function few(parts: readonly string[], { all }: Page): readonly string[] {
  if (all || parts.length <= most.parts) return parts;
  const shown = most.parts - 2;
  return [...parts.slice(0, shown), `${parts.length - shown - 1} more`, ...parts.slice(-1)];
}

function causeWords({ spot, cause }: UndoPlan): string {
  const name = labelOf(spot);
  if (cause === "timeout") return `${name} runs out of time`;
  if (cause === "limit") return `${name} repeats too often`;
  return cause === "needs" ? `${name} lacks what it needs` : `${name} fails`;
}

function consequences(plan: UndoPlan, page: Page): string[] {
  const lines: string[] = [];
  const say = (label: string, taken: readonly string[]) => {
    if (taken.length > 0) lines.push(...wrapped(`    ${label.padEnd(12)}`, few(taken, page), page));
  };
  const words = (taken: Taken) => takenWords(taken, plan.spot);
  const all = plan.undone.flatMap(({ taken }) => taken);
  for (const [i, { scope, of, taken }] of plan.undone.entries()) {
    const back = taken.filter(isUndone).map(words);
    const whose = whoseWords(scope, of, plan.undone.length);
    say(
      i === 0 || back.length === 0 ? "take back" : of === "run" ? "then" : "beside it",
      back.length > 0 ? [whose + back[0], ...back.slice(1)] : [],
    );
  }
  const named = [...all, ...plan.left];
  // An outcome that is unknown is taken back even if all around it ends well.
  const later = plan.left.filter((taken) => taken.only === "unknown" && isUndone(taken) && !taken.spot.step.keep);
  if (!all.some(isUndone) && later.length === 0) lines.push("    nothing is taken back");
  say("at its end", later.map(words));
  say("stays", [
    ...named.filter(({ way }) => way === "irreversible").map(({ spot, by }) => `${labelOf(spot)} (irreversible: ${clean(by ?? "")})`),
    ...named.filter(({ way }) => way === "none").map(({ spot }) => `${labelOf(spot)} (its node does not say how: NO_UNDO)`),
    ...plan.stopped.filter(isUndone).map(words),
  ]);
  if (plan.stays) {
    const at = clean(plan.stays.spot.path);
    say("goes on", [
      plan.stays.how === "continue"
        ? `${at} passes the failure over`
        : plan.stays.how === "body"
          ? `with the onError of ${at}`
          : plan.stays.how === "collect"
            ? "with the other items"
            : "with the steps that need only some of those beside it",
    ]);
  }
  return lines;
}

/** Which scope takes back, where that is not plain. */
function whoseWords(scope: string, of: Undone["of"], count: number): string {
  const path = clean(scope);
  switch (of) {
    case "run":
      return "";
    case "cut":
      return "what is cut off half done: ";
    case "losers":
      return `losing ${path}: `;
    case "item":
      return `item of ${path.replace(/\/\*.*$/, "")}: `;
    default:
      return count === 1 ? "" : `${of} ${path}: `;
  }
}

function isUndone({ way }: Taken): boolean {
  return way === "node" || way === "step" || way === "event" || way === "child" || way === "unknown";
}

function takenWords({ spot, way, by, only }: Taken, failed: Spot): string {
  const many = spot.path.includes("*") && only !== "unknown" ? "each " : "";
  const how = way === "step" ? ` by ${clean(by ?? "")}` : way === "child" ? " by a run of its own" : way === "unknown" ? "?" : "";
  const when =
    only === "completed" ? " if completed" : only === "ran" ? " if it ran" : only === "unknown" ? " if it may have happened" : "";
  return `${many}${spot === failed && only === "unknown" ? "itself" : labelOf(spot)}${how}${when}`;
}

/** The id of a step; cases of a switch share one, so theirs says the node too. */
function labelOf(spot: Spot): string {
  return clean(spot.role === "case" && spot.inner.length === 0 ? `${spot.path} (${spot.name})` : spot.path);
}
