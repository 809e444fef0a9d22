/** The outlook of a flow as people read it. */
import { notesOf } from "../../plan/outlook/notes.ts";
import type { Outlook } from "../../plan/outlook/outlook.ts";
import { type Spot, spotsIn, verbWords } from "../../plan/outlook/spot.ts";
import type { Span } from "../../plan/outlook/time.ts";
import type { Taken, Undone, UndoPlan } from "../../plan/outlook/undo.ts";
import { waitsFor, wavesOf } from "../../plan/outlook/waves.ts";
import { sayMs } from "../../plan/timing.ts";
import { clean, type Style } from "../output.ts";

export interface Page {
  readonly style: Style;
  /** Columns. */
  readonly width: number;
}

/** All of it, as lines. */
export function outlookLines(outlook: Outlook, page: Page): string[] {
  return [...head(outlook, page), "", ...orderLines(outlook, page), "", ...timeLines(outlook, page), "", ...undoLines(outlook, page)];
}

function head({ flow, run, concurrency, unknown }: Outlook, page: Page): string[] {
  const { bold, yellow } = page.style;
  const steps = [...spotsIn(run)].length - 1;
  const lines = [
    `${bold(clean(`${flow.name} ${flow.version}`))}: ${steps === 1 ? "1 step" : `${steps} steps`}, at most ${concurrency} calls at once, ${flow.timeout === undefined ? "no timeout" : `timeout ${flow.timeout}`}`,
  ];
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
    ...rows.map(({ wave, name, what, notes }) => {
      const padded = notes === "" ? what : what.padEnd(whatWidth);
      return `  ${dim(wave.padEnd(waveWidth))}  ${cyan(name.padEnd(nameWidth))}  ${padded}${notes === "" ? "" : `  ${dim(notes)}`}`.trimEnd();
    }),
  ];
}

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
  const lines = [`${bold("TIME")}  ${dim("at most, as declared; waiting for a slot, computes and undoing are not counted")}`];
  const timed = way.filter(({ span }) => span.mostMs > 0);
  const nameWidth = Math.max(0, ...timed.map(({ spot }) => clean(spot.name).length));
  const spanWidth = Math.max(0, ...timed.map(({ span }) => spanWords(span).length));
  const open = mostMs === Number.POSITIVE_INFINITY;
  const told = endless.filter(({ unknown }) => !unknown);
  const unknown = endless.length - told.length;
  const total = !open ? sayMs(mostMs) : told.length === 0 ? "not known" : "no end";
  const limit = timeoutMs === undefined ? "the run has no timeout" : `the run is ended after ${sayMs(timeoutMs)}`;
  const over = !open && timeoutMs !== undefined && mostMs > timeoutMs;
  lines.push(`  longest way  ${over ? yellow(`${total}: longer than the run may take, ${limit}`) : `${total}; ${limit}`}`);
  for (const { spot, span } of timed)
    lines.push(
      `    ${clean(spot.name).padEnd(nameWidth)}  ${spanWords(span).padEnd(spanWidth)}${span.why === "" ? "" : `  ${dim(span.why)}`}`.trimEnd(),
    );
  if (leastMs > 0) lines.push(`  at least     ${sayMs(leastMs)} when all of it completes`);
  for (const [i, { spot, why }] of told.entries())
    lines.push(...wrapped(i === 0 ? "  no end in    " : "               ", [`${clean(spot.path)}: ${clean(why)}`], page));
  if (unknown > 0)
    lines.push(`  not known    ${unknown === 1 ? "one step, whose node is" : `${unknown} steps, whose nodes are`} not given`);
  return lines;
}

function spanWords({ mostMs, endless }: Span): string {
  return mostMs === Number.POSITIVE_INFINITY && endless.every(({ unknown }) => unknown) ? "not known" : sayMs(mostMs);
}

function undoLines({ undo, onFailure, unknown }: Outlook, page: Page): string[] {
  const { bold, dim } = page.style;
  const lines = [`${bold("UNDO")}  ${dim("what is taken back when a step fails for good, newest first")}`];
  const likely = undo.filter((plan) => plan.likely);
  // Steps that fail with the same consequences are told together.
  const together = new Map<string, { readonly who: string[]; readonly said: readonly string[] }>();
  for (const plan of likely) {
    const said = consequences(plan, page);
    const key = said.join("\n");
    const same = together.get(key) ?? { who: [], said };
    same.who.push(causeWords(plan));
    together.set(key, same);
  }
  for (const { who, said } of together.values()) lines.push(...wrapped("  ", who.map(bold), page, ", "), ...said);
  if (likely.length === 0) lines.push("  no step of it fails but by a mistake in code or in an expression");
  else if (likely.length < undo.length)
    lines.push(`  ${dim("computes, reads and values fail only by a mistake in code or in an expression: --json has their plans too")}`);
  if (unknown.length > 0) lines.push(`  ${dim("?: as its node says, which is not given")}`);
  if (onFailure === "stop")
    lines.push(`  ${dim("onFailure: stop: what the run itself holds stays; groups, branches and items still take back their own")}`);
  return lines;
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
    if (taken.length > 0) lines.push(...wrapped(`    ${label.padEnd(12)}`, taken, page));
  };
  const all = plan.undone.flatMap(({ taken }) => taken);
  for (const [i, { scope, of, taken }] of plan.undone.entries()) {
    const back = taken.filter(isUndone).map(takenWords);
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
  say("at its end", later.map(takenWords));
  say("stays", [
    ...named.filter(({ way }) => way === "irreversible").map(({ spot, by }) => `${labelOf(spot)} (irreversible: ${clean(by ?? "")})`),
    ...named.filter(({ way }) => way === "none").map(({ spot }) => `${labelOf(spot)} (its node does not say how: NO_UNDO)`),
    ...plan.stopped.filter(isUndone).map(takenWords),
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

function takenWords({ spot, way, by, only }: Taken): string {
  const many = spot.path.includes("*") && only !== "unknown" ? "each " : "";
  const how = way === "step" ? ` by ${clean(by ?? "")}` : way === "child" ? " by a run of its own" : way === "unknown" ? "?" : "";
  const when =
    only === "completed" ? " if completed" : only === "ran" ? " if it ran" : only === "unknown" ? " if it may have happened" : "";
  return `${many}${labelOf(spot)}${how}${when}`;
}

/** The id of a step; cases of a switch share one, so theirs says the node too. */
function labelOf(spot: Spot): string {
  return clean(spot.role === "case" && spot.inner.length === 0 ? `${spot.path} (${spot.name})` : spot.path);
}

/** Parts over as many lines as they need behind a lead; the lines after the first are indented to it. */
function wrapped(lead: string, parts: readonly string[], { width }: Page, between = " · "): string[] {
  const indent = " ".repeat(visible(lead));
  const lines: string[] = [];
  let line = lead;
  for (const [i, part] of parts.entries()) {
    const piece = i === parts.length - 1 ? part : part + between;
    if (i > 0 && visible(line) + visible(piece.trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += piece;
  }
  return [...lines, line];
}

function visible(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no columns
  return text.replaceAll(/\x1b\[\d+m/g, "").length;
}
