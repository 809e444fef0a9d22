/** Steps, templates and expressions as text in one form, however they were written: to compare, and to show. */
import { type Duration, durationMs } from "../../core/duration.ts";
import type { Json } from "../../core/json.ts";
import { type RetryPolicy, retryOf } from "../../core/retry.ts";
import type { Expression } from "../expression.ts";
import type { Block, Step, Verb } from "../flow.ts";
import type { Template } from "../template.ts";

/** New names of steps, and what they were called before. */
export type Renames = ReadonlyMap<string, string>;

export function expressionText(expression: Expression, renames: Renames): string {
  let text = "";
  let before = "";
  for (const [found] of expression.text.matchAll(tokens)) {
    if (/^(?:\s|\/\/)/.test(found)) continue;
    // A name that stands behind a dot is a field; single quotes mean what double ones do.
    const name = before === "." ? found : (renames.get(found) ?? found);
    const token = /^'[^'"\\]*'$/.test(name) ? `"${name.slice(1, -1)}"` : name;
    const unary = (token === "-" || token === "!") && (before === "" || operators.test(before) || /^[([{,]$/.test(before));
    const wide = (operators.test(token) && !unary) || token === "in";
    text += wide ? ` ${token} ` : token === "," ? ", " : /\w$/.test(text) && /^\w/.test(token) ? ` ${token}` : token;
    before = unary ? "(" : token;
  }
  return text;
}
/** Of CEL: comments and space, texts (raw and of three quotes too), names and numbers, operators of two characters, the rest. */
const tokens =
  /\/\/[^\n]*|\s+|[rRbB]{0,2}(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\d+(?:\.\d+)?\w*|\w+|&&|\|\||[=!<>]=|./g;
const operators = /^(?:&&|\|\||[=!<>]=|[-+*/%<>?:=!])$/;

export function templateText(template: Template | undefined, renames: Renames): string | undefined {
  switch (template?.kind) {
    case undefined:
      return undefined;
    case "constant":
      return jsonText(template.value);
    case "hole":
      return `\${ ${expressionText(template.expression, renames)} }`;
    case "text":
      return JSON.stringify(
        template.parts.map((part) => (typeof part === "string" ? part : `\${ ${expressionText(part, renames)} }`)).join(""),
      );
    case "list":
      return `[${template.items.map((item) => templateText(item, renames)).join(", ")}]`;
    case "map": {
      const entries = [...template.entries].sort(([a], [b]) => (a < b ? -1 : 1));
      return `{ ${entries.map(([key, value]) => `${key}: ${templateText(value, renames)}`).join(", ")} }`;
    }
  }
}

/** JSON with its keys in order. */
export function jsonText(value: Json): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** A length of time in its largest whole unit: what is written as 60s or as 1m is the same. */
export function timeText(duration: Duration | number | undefined): string | undefined {
  if (duration === undefined) return undefined;
  const ms = typeof duration === "number" ? duration : durationMs(duration);
  const [unit, length] = units.find(([, size]) => ms !== 0 && ms % size === 0) ?? ["ms", 1];
  return `${ms / length}${unit}`;
}
const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

export function retryText(retry: RetryPolicy | false | undefined): string | undefined {
  if (retry === undefined) return undefined;
  if (retry === false) return "off";
  // What is left out is the same as the default written out.
  const full = retryOf(retry);
  const shown = [`${full.maxAttempts} attempts`, full.backoff, `delay ${timeText(full.delayMs)}`];
  if (full.backoff !== "fixed") shown.push(`at most ${timeText(full.maxDelayMs)}`);
  if (full.backoff === "exponential" && full.factor !== 2) shown.push(`factor ${full.factor}`);
  if (full.jitter !== "full") shown.push("no jitter");
  if (full.withinMs !== Number.POSITIVE_INFINITY) shown.push(`within ${timeText(full.withinMs)}`);
  if (full.except.length > 0) shown.push(`except ${[...full.except].sort().join(" ")}`);
  return shown.join(", ");
}

/** What a step does, in a word or two: its verb, and the name that it is about, without its version. */
export function doesText(verb: Verb): string {
  if (verb.kind === "call") return `${verb.node} ${verb.reference.replace(/@.*/, "")}`;
  if (verb.kind === "read") return `read ${verb.reference.replace(/@.*/, "")}`;
  return verb.kind === "wait" ? `wait ${verb.signal}` : verb.kind === "rethrow" ? "fail" : verb.kind;
}

/** The words of a verb, without the steps within it. */
export function verbFacets(verb: Verb, renames: Renames): [string, string | undefined][] {
  const template = (value: Template | undefined) => templateText(value, renames);
  switch (verb.kind) {
    case "call":
      return [
        ["version", pinOf(verb.reference)],
        ["input", template(verb.with) ?? "{}"],
      ];
    case "read":
      return [
        ["version", pinOf(verb.reference)],
        ["key", template(verb.key)],
      ];
    case "wait":
    case "steps":
    case "switch":
    case "race":
      return [];
    case "sleep":
      return [["time", verb.ms === undefined ? template(verb.time) : timeText(verb.ms)]];
    case "set":
      return [["value", template(verb.value)]];
    case "fail":
      return [
        ["code", template(verb.code)],
        ["message", template(verb.message)],
        ["details", template(verb.details)],
      ];
    case "rethrow":
      return [["error", template(verb.error)]];
    case "each":
      return [
        ["each", "verb" in verb.over ? stepText(verb.over, renames) : expressionText(verb.over, renames)],
        ["as", verb.as],
        ["concurrency", textOf(verb.concurrency)],
        ["batchSize", textOf(verb.batchSize)],
        ["onItemError", verb.collect ? "collect" : "fail"],
      ];
    case "repeat":
      return [
        ["until", expressionText(verb.until, renames)],
        ["max", String(verb.max)],
        ["every", timeText(verb.everyMs)],
      ];
  }
}

function pinOf(reference: string): string | undefined {
  return /@(.*)$/.exec(reference)?.[1];
}
function textOf(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** The modifiers of a step, but for `needs`, which is drawn as edges. */
export function modifierFacets(step: Step, renames: Renames): [string, string | undefined][] {
  const { onError, undo } = step;
  return [
    ["when", step.when && expressionText(step.when, renames)],
    ["default", templateText(step.fallback, renames)],
    ["timeout", timeText(step.timeout)],
    ["retry", retryText(step.retry)],
    ["onError", typeof onError === "string" ? (onError === "fail" ? undefined : onError) : stepText(onError, renames)],
    ["undo", undo && stepText(undo, renames)],
    ["keep", step.keep ? "true" : undefined],
    ["priority", textOf(step.priority)],
  ];
}

/** The bodies within a step, by what they are called in a path. */
export function bodiesOf(verb: Verb): [string, Step][] {
  switch (verb.kind) {
    case "switch":
      return verb.cases.map((one, i) => [`case ${i + 1}`, one]);
    case "each":
    case "repeat":
      return [["do", verb.body]];
    case "race":
      return [...verb.branches];
    default:
      return [];
  }
}

/** All of a step in one line. */
export function stepText(step: Step, renames: Renames): string {
  const { verb } = step;
  const facets = [...verbFacets(verb, renames), ...modifierFacets(step, renames)].filter(
    ([name, value]) => value !== undefined && !(name === "input" && value === "{}"),
  );
  const inner = [
    ...bodiesOf(verb).map(([name, body]) => `${name}: ${stepText(body, renames)}`),
    ...(verb.kind === "steps" ? [blockText(verb.block, renames)] : []),
  ];
  return [doesText(verb), ...facets.map(([name, value]) => `${name} ${value}`), ...inner].join("; ");
}

function blockText(block: Block, renames: Renames): string {
  const steps = block.steps.map(({ name, body }) => `${name}: ${stepText(body, renames)}`).sort();
  return `{ ${steps.join(" | ")} }${block.output ? ` gives ${templateText(block.output, renames)}` : ""}`;
}
