/** One step: exactly one verb, what belongs to the verb, and modifiers. A body is a step too. */
import { durationMs } from "../core/duration.ts";
import type { Cursor } from "./cursor.ts";
import { shown } from "./cursor.ts";
import type { Expression } from "./expression.ts";
import type { Block, CallKind, Step, StreamCall, Verb } from "./flow.ts";
import { drawBlock, type RawStep } from "./graph.ts";
import { Names, nameProblem, type Unknowns } from "./names.ts";
import { readNeeds, readRetry } from "./parse-modifiers.ts";
import { readExpression, readTemplate, type Where } from "./parse-value.ts";
import { spotsOf } from "./spots.ts";
import { didYouMean, oneOf } from "./suggest.ts";
import type { Template } from "./template.ts";

export const verbs = [
  "compute",
  "effect",
  "reducer",
  "workflow",
  "read",
  "wait",
  "sleep",
  "set",
  "fail",
  "steps",
  "switch",
  "each",
  "race",
  "repeat",
] as const;
export type VerbName = (typeof verbs)[number];
const calls: readonly VerbName[] = ["compute", "effect", "reducer", "workflow"];

/** Which verbs a key belongs to; `undefined` is any. */
export const belongs: Readonly<Record<string, readonly VerbName[] | undefined>> = {
  with: calls,
  retry: calls,
  undo: ["effect"],
  keep: ["effect"],
  key: ["read"],
  output: ["steps"],
  do: ["each"],
  as: ["each"],
  concurrency: ["each"],
  batchSize: ["each"],
  onItemError: ["each"],
  until: ["repeat"],
  max: ["repeat"],
  every: ["repeat"],
  timeout: verbs.filter((verb) => verb !== "set" && verb !== "fail"),
  when: undefined,
  default: undefined,
  needs: undefined,
  onError: undefined,
  outcome: undefined,
  priority: undefined,
  description: undefined,
};

/** What reading steps needs to know of the file. */
export interface PlanContext {
  readonly unknowns: Unknowns;
  readonly signals: ReadonlySet<string>;
  /** Counts the named steps of the whole plan. */
  order: number;
}

/** `siblings` are the steps beside a named one; a body has none. */
export function readStep(
  cursor: Cursor,
  names: Names,
  context: PlanContext,
  siblings: ReadonlyMap<string, number> | undefined,
  label: string,
): Step | undefined {
  if (!cursor.isMap) return cursor.wrong(`${label} is a map with one verb (${oneOf(verbs)}), not ${shown(cursor.value)}`);
  const verb = readVerbName(cursor, label);
  if (verb === undefined) return undefined;
  checkKeys(cursor, verb);
  const where: Where = { names, unknowns: context.unknowns };
  const when = cursor.get("when");
  const fallback = cursor.get("default");
  const retry = cursor.get("retry");
  const needs = cursor.get("needs");
  const undo = verb === "effect" ? cursor.get("undo") : undefined;
  const step = {
    place: cursor.keyPlace,
    description: cursor.get("description")?.text("description"),
    at: spotsOf(cursor),
    when: when && readExpression(when, "when", where),
    fallback: fallback && readTemplate(fallback, where),
    timeout: cursor.get("timeout")?.duration("timeout"),
    retry: retry && readRetry(retry),
    onError: readOnError(cursor.get("onError"), names, context),
    outcome: cursor.get("outcome")?.flag("outcome") ?? false,
    undo: undo && readStep(undo, Names.binding(names, ["done"]), context, undefined, "undo"),
    keep: cursor.get("keep")?.flag("keep") ?? false,
    priority: cursor.get("priority")?.whole("priority", 1, 1000),
    needs: needs && readNeeds(needs, siblings, names),
  };
  const read = readVerb(cursor, verb, names, where, context);
  if (fallback && !when) fallback.wrong("default is the value of a step that is skipped; without when it never is");
  return read && { verb: read, ...step };
}

function readVerbName(cursor: Cursor, label: string): VerbName | undefined {
  const found = verbs.filter((verb) => cursor.has(verb));
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    // `workflow` and `steps` in one step and the like: only the author knows which was meant.
    const quoted = found.map((verb) => `"${verb}"`);
    return cursor.wrong(
      `${label} has ${found.length} verbs, ${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)}; a step does one thing: make it two steps`,
    );
  }
  for (const key of cursor.keys()) {
    const near = Object.hasOwn(belongs, key) ? "" : didYouMean(key, verbs);
    if (near !== "") return cursor.wrong(`${label} has no verb; "${key}" is not one.${near}`);
  }
  return cursor.wrong(`${label} has no verb; it needs one of ${oneOf(verbs)}`);
}

function checkKeys(cursor: Cursor, verb: VerbName): void {
  const known = Object.keys(belongs).filter((key) => belongs[key]?.includes(verb) ?? true);
  for (const entry of cursor.entries()) {
    const key = String(entry.name);
    if (key === verb) continue;
    if (!Object.hasOwn(belongs, key))
      entry.error(
        "PLAN_INVALID",
        `a ${verb} step has no "${key}".${didYouMean(key, known) || ` It may have ${oneOf(known)}.`}`,
        entry.keyPlace,
      );
    else if (belongs[key] && !belongs[key].includes(verb)) {
      const hint = key === "retry" && verb !== "set" && verb !== "fail" ? "; write it on the calls inside" : "";
      entry.error(
        "PLAN_INVALID",
        `"${key}" belongs to ${oneOf(key === "timeout" ? ["calls", "waits", "blocks"] : belongs[key])}, and this is ${verb === "effect" || verb === "each" ? "an" : "a"} ${verb} step${hint}`,
        entry.keyPlace,
      );
    }
  }
}

function readOnError(cursor: Cursor | undefined, names: Names, context: PlanContext): Step["onError"] {
  if (!cursor) return "fail";
  if (cursor.value === "fail" || cursor.value === "continue") return cursor.value;
  if (cursor.isMap) return readStep(cursor, Names.binding(names, ["error"]), context, undefined, "onError") ?? "fail";
  cursor.wrong(`onError is fail, continue or a step, not ${shown(cursor.value)}`);
  return "fail";
}

function readVerb(step: Cursor, name: VerbName, names: Names, where: Where, context: PlanContext): Verb | undefined {
  const cursor = step.get(name) as Cursor;
  switch (name) {
    case "compute":
    case "effect":
    case "reducer":
    case "workflow": {
      const reference = readReference(cursor, name);
      const input = step.get("with");
      const template = input && readTemplate(input, where);
      return reference === undefined ? undefined : { kind: "call", node: name, reference, place: cursor.place, with: template };
    }
    case "read": {
      const reference = readReference(cursor, "reducer");
      const key = step.get("key");
      return reference === undefined ? undefined : { kind: "read", reference, place: cursor.place, key: key && readTemplate(key, where) };
    }
    case "wait":
      return readWait(cursor, context);
    case "sleep":
      return readSleep(cursor, where);
    case "set":
      return { kind: "set", value: readTemplate(cursor, where) };
    case "fail":
      return readFail(cursor, where);
    case "steps": {
      const block = readBlock(cursor, step.get("output"), names, context, false);
      return block && { kind: "steps", block };
    }
    case "switch":
      return readSwitch(cursor, names, context);
    case "race":
      return readRace(cursor, names, context);
    case "each":
      return readEach(step, cursor, names, where, context);
    case "repeat":
      return readRepeat(step, cursor, names, context);
  }
}

function readReference(cursor: Cursor, kind: CallKind): string | undefined {
  const text = cursor.text(`the name of the ${kind}`);
  if (text === undefined || /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?:@\d+(?:\.\d+){0,2})?$/.test(text)) return text;
  const kebab = text
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replaceAll(/[_ ]/g, "-")
    .toLowerCase();
  return cursor.wrong(
    `${shown(text)} is not the name of a node: names are kebab-case, with an optional version, such as "${/^[a-z][a-z0-9-]*$/.test(kebab) ? kebab : "charge-card@2"}"`,
  );
}

function readWait(cursor: Cursor, context: PlanContext): Verb | undefined {
  const signal = cursor.text("the name of the signal");
  if (signal === undefined) return undefined;
  if (!context.signals.has(signal))
    cursor.error(
      "SIGNAL_UNDECLARED",
      `the signal "${signal}" is not declared.${didYouMean(signal, context.signals) || ` Write it at the top of the file: signals: { ${signal}: { type: object } }`}`,
    );
  return { kind: "wait", signal, place: cursor.place };
}

function readSleep(cursor: Cursor, where: Where): Verb | undefined {
  if (typeof cursor.value === "string" && cursor.value.includes("${"))
    return { kind: "sleep", ms: undefined, time: readTemplate(cursor, where) };
  const length = cursor.duration("sleep");
  return length === undefined ? undefined : { kind: "sleep", ms: durationMs(length), time: undefined };
}

function readFail(cursor: Cursor, where: Where): Verb | undefined {
  if (typeof cursor.value === "string") {
    const error = readTemplate(cursor, where);
    if (error.kind === "hole") return { kind: "rethrow", error };
    return cursor.wrong('fail is { code, message, details }, or "${ error }" in an onError');
  }
  if (!cursor.isMap) return cursor.wrong(`fail is { code, message, details }, not ${shown(cursor.value)}`);
  cursor.only("fail", ["code", "message", "details"]);
  const code = cursor.get("code");
  if (!code) return cursor.wrong("fail needs a code, such as NOT_APPROVED");
  if (code.text("code") === undefined) return undefined;
  if (!String(code.value).includes("${") && !/^[A-Z][A-Z0-9_]*$/.test(String(code.value)))
    code.wrong(`a code is in capitals, such as NOT_APPROVED, not ${shown(code.value)}`);
  const message = cursor.get("message");
  message?.text("message");
  const details = cursor.get("details");
  return {
    kind: "fail",
    code: readTemplate(code, where),
    message: message && readTemplate(message, where),
    details: details && readTemplate(details, where),
  };
}

/** Named steps in a scope of their own. `implicit`: without `output` the last step is the value. */
export function readBlock(
  cursor: Cursor,
  output: Cursor | undefined,
  names: Names,
  context: PlanContext,
  implicit: boolean,
): Block | undefined {
  if (!cursor.map("steps")) return undefined;
  const entries = cursor.entries();
  if (entries.length === 0) return cursor.wrong("steps is empty; write at least one step");
  const index = new Map<string, number>();
  for (const entry of entries) {
    checkName(entry, names);
    context.unknowns.steps.set(String(entry.name), entry.path.replaceAll(/(^|\.)steps\./g, "$1"));
    index.set(String(entry.name), index.size);
  }
  const inner = Names.block(names, index);
  const steps: RawStep[] = [];
  entries.forEach((entry, i) => {
    inner.current = i;
    const order = context.order++;
    const body = readStep(entry, inner, context, index, `the step "${entry.name}"`);
    if (body) steps.push({ name: String(entry.name), body, order });
  });
  inner.current = -1;
  const template: Template | undefined = output && readTemplate(output, { names: inner, unknowns: context.unknowns });
  // With a step missing the numbers do not fit, and the plan is refused anyway.
  return steps.length === entries.length ? drawBlock(steps, index, inner, template, implicit, cursor.findings) : undefined;
}

function checkName(entry: Cursor, names: Names): void {
  const name = String(entry.name);
  const problem = nameProblem(name);
  if (problem) entry.error("NAME_INVALID", `step ${problem}`, entry.keyPlace);
  else if (names.has(name)) entry.error("NAME_SHADOWED", `the step "${name}" hides the outer "${name}"; take another name`, entry.keyPlace);
}

function readSwitch(cursor: Cursor, names: Names, context: PlanContext): Verb | undefined {
  if (!cursor.list("switch")) return undefined;
  const items = cursor.items();
  if (items.length === 0) return cursor.wrong("switch is empty; write at least one case");
  const cases = items.flatMap((item, i) => {
    if (item.isMap && !item.has("when") && i < items.length - 1)
      item.wrong("a case without when is always taken, so it must be the last one");
    return readStep(item, names, context, undefined, `case ${i + 1}`) ?? [];
  });
  return { kind: "switch", cases };
}

function readRace(cursor: Cursor, names: Names, context: PlanContext): Verb | undefined {
  if (!cursor.map("race")) return undefined;
  if (cursor.keys().length === 0) return cursor.wrong("race is empty; write at least one branch");
  const branches = new Map<string, Step>();
  for (const entry of cursor.entries()) {
    const problem = nameProblem(String(entry.name));
    if (problem) entry.error("NAME_INVALID", `branch ${problem}`, entry.keyPlace);
    const step = readStep(entry, names, context, undefined, `the branch "${entry.name}"`);
    if (step) branches.set(String(entry.name), step);
  }
  return { kind: "race", branches };
}

function readEach(step: Cursor, cursor: Cursor, names: Names, where: Where, context: PlanContext): Verb | undefined {
  const over = readSource(cursor, names, where, context);
  const as = step.get("as");
  const name = as === undefined ? "item" : (as.text("as") ?? "item");
  const problem = name === "item" ? undefined : nameProblem(name);
  if (problem) as?.error("NAME_INVALID", `as: ${problem}`);
  else if (names.has(name))
    (as ?? cursor).error("NAME_SHADOWED", `"${name}" hides the outer "${name}"; give this one another name with \`as\``);
  const body = step.get("do");
  if (!body) return cursor.wrong("each needs a `do`: the step that is done for each item");
  const read = readStep(body, Names.binding(names, [name, "index"]), context, undefined, "do");
  const rest = {
    as: name,
    concurrency: step.get("concurrency")?.whole("concurrency", 1, 1000),
    batchSize: step.get("batchSize")?.whole("batchSize", 1, 100_000),
    collect: step.get("onItemError")?.choice("onItemError", ["fail", "collect"]) === "collect",
  };
  return over && read && { kind: "each", over, body: read, ...rest };
}

/** A list, or a stream: `each: { effect: rows, with: … }`. */
function readSource(cursor: Cursor, names: Names, where: Where, context: PlanContext): Expression | StreamCall | undefined {
  if (!cursor.isMap) return readExpression(cursor, "each", where);
  const known = ["effect", "with", "timeout", "retry"];
  cursor.only("a stream", known);
  if (!cursor.keys().every((key) => known.includes(key))) return undefined;
  if (!cursor.has("effect")) return cursor.wrong('each goes over a list, or over a stream: { effect: NAME, with: "…" }');
  const step = readStep(cursor, names, context, undefined, "each");
  return step?.verb.kind === "call" ? { ...step, verb: step.verb } : undefined;
}

function readRepeat(step: Cursor, cursor: Cursor, names: Names, context: PlanContext): Verb | undefined {
  const inner = Names.binding(names, ["last", "index"]);
  const body = readStep(cursor, inner, context, undefined, "repeat");
  const until = step.get("until");
  const max = step.get("max");
  if (!until) cursor.wrong("repeat needs `until`: the expression that ends it, such as last.done");
  if (!max) cursor.wrong("repeat needs `max`: after so many turns it fails with REPEAT_LIMIT");
  const condition = until && readExpression(until, "until", { names: inner, unknowns: context.unknowns });
  const most = max?.whole("max", 1, 1_000_000);
  const every = step.get("every")?.duration("every") ?? "0s";
  return body && condition && most !== undefined
    ? { kind: "repeat", body, until: condition, max: most, everyMs: durationMs(every) }
    : undefined;
}
