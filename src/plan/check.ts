/**
 * What can be said about a flow before it runs: the types of its expressions, and with the nodes whether they are there
 * and take what they are given. Steps are visited in the order in which they can run, so a reference is always typed.
 */
import type { NodeSource } from "../node/contract.ts";
import { Binding, type CallCheck } from "./bind.ts";
import { Expression } from "./expression.ts";
import type { Findings } from "./finding.ts";
import type { Block, Step, StreamCall, Verb } from "./flow.ts";
import { Inference, type TypeScope } from "./infer.ts";
import { conditions, type Facts, factsOf, noFacts, together } from "./narrow.ts";
import { isJsonMap } from "./parse-value.ts";
import { checkRules } from "./rules/rules.ts";
import { typeOfSchema } from "./schema-type.ts";
import type { Template } from "./template.ts";
import {
  any,
  bool,
  isNullable,
  listOf,
  mapOf,
  members,
  never,
  nonNull,
  nothing,
  number,
  overlap,
  show,
  skippedBy,
  string,
  type Type,
  typeOfValue,
  union,
} from "./types.ts";
import type { Read } from "./workflow.ts";

/** Adds what is wrong to `findings`; without `nodes` what they take and give is unknown. */
export function checkFlow(read: Read, nodes: NodeSource | undefined, findings: Findings): void {
  const { flow } = read;
  const scope = new Scope(undefined, {
    input: read.input ? typeOfSchema(read.input.raw, read.input.files, "taken") : any,
    config: read.configSchema ? typeOfSchema(read.configSchema.raw, read.configSchema.files, "taken") : any,
    values: typeOfValue(flow.values),
    run: mapOf({ id: string, correlationId: string }),
  });
  const signals = new Map([...read.signals].map(([name, schema]) => [name, typeOfSchema(schema.raw, schema.files, "taken")]));
  new Checker(findings, signals, nodes && new Binding(nodes, flow, findings)).block(flow.body, scope, noFacts, true);
  checkRules(read, nodes, findings);
}

class Scope implements TypeScope {
  readonly #parent: TypeScope | undefined;
  readonly #own: Map<string, Type>;
  constructor(parent: TypeScope | undefined, own: Readonly<Record<string, Type>> = {}) {
    this.#parent = parent;
    this.#own = new Map(Object.entries(own));
  }
  get(name: string): Type | undefined {
    return this.#own.get(name) ?? this.#parent?.get(name);
  }
  set(name: string, type: Type): void {
    this.#own.set(name, type);
  }
}

const errorType = mapOf({ code: string, message: string, step: string, details: any });
const outcomeType = mapOf({ ok: bool, value: any, error: union([errorType, nothing]) });

class Checker {
  readonly #findings: Findings;
  readonly #signals: ReadonlyMap<string, Type>;
  readonly #binding: Binding | undefined;

  constructor(findings: Findings, signals: ReadonlyMap<string, Type>, binding: Binding | undefined) {
    this.#findings = findings;
    this.#signals = signals;
    this.#binding = binding;
  }

  block(block: Block, outer: TypeScope, facts: Facts, implicit: boolean): Type {
    const scope = new Scope(outer);
    for (const i of runningOrder(block)) {
      const step = block.steps[i];
      if (step) scope.set(step.name, this.#step(step.body, scope, facts, step.name));
    }
    if (block.output) return this.#template(block.output, scope, facts);
    return implicit ? (scope.get(block.steps.at(-1)?.name ?? "") ?? nothing) : nothing;
  }

  #step(step: Step, scope: TypeScope, facts: Facts, name: string): Type {
    const known = step.when ? this.#condition(step.when, scope, facts, "when") : facts;
    let type = this.#verb(step, step.verb, scope, known, name);
    if (step.when)
      type = union([
        type,
        step.fallback
          ? this.#template(step.fallback, scope, facts)
          : { kind: "null", skipped: name, conditions: conditions(step.when.ast) },
      ]);
    if (step.onError === "continue") type = union([type, { kind: "null", skipped: name }]);
    else if (step.onError !== "fail") type = union([type, this.#step(step.onError, new Scope(scope, { error: errorType }), known, name)]);
    return step.outcome ? outcomeType : type;
  }

  #verb(step: Step, verb: Verb, scope: TypeScope, facts: Facts, name: string): Type {
    switch (verb.kind) {
      case "call":
        return this.#call(step, verb, scope, facts);
      case "read":
        if (verb.key) this.#scalar(verb.key, scope, facts, "key");
        return this.#binding?.read(verb) ?? any;
      case "wait":
        return this.#signals.get(verb.signal) ?? any;
      case "sleep":
        if (verb.time) this.#sleep(verb.time, scope, facts);
        return nothing;
      case "set":
        return this.#template(verb.value, scope, facts);
      case "fail":
        for (const template of [verb.code, verb.message, verb.details]) if (template) this.#template(template, scope, facts);
        return never;
      case "rethrow":
        this.#template(verb.error, scope, facts);
        return never;
      case "steps":
        return this.block(verb.block, scope, facts, false);
      case "switch":
        return this.#switch(verb.cases, scope, facts, name);
      case "each":
        return this.#each(verb, scope, facts, name);
      case "race":
        return union(
          [...verb.branches].map(([key, branch]) =>
            mapOf({ winner: { kind: "string", values: [key] }, value: this.#step(branch, scope, facts, key) }),
          ),
        );
      case "repeat": {
        const body = this.#step(verb.body, new Scope(scope, { last: any, index: number }), facts, name);
        this.#condition(verb.until, new Scope(scope, { last: body, index: number }), facts, "until");
        return body;
      }
    }
  }

  #call(step: Step, verb: Verb & { readonly kind: "call" }, scope: TypeScope, facts: Facts): Type {
    const call = this.#binding?.call(verb, step);
    if (verb.with) {
      const type = this.#template(verb.with, scope, facts);
      if (call) this.#fits(verb.with, type, call, scope, facts);
    } else call?.withoutInput();
    // Checked for its own sake: what an undo gives goes nowhere.
    if (step.undo)
      this.#step(
        step.undo,
        new Scope(scope, {
          done: mapOf({ input: call?.input ?? any, output: union([call?.output ?? any, nothing]), idempotencyKey: string }),
        }),
        facts,
        "undo",
      );
    return call?.output ?? any;
  }

  /** Entry by entry where the template is written out, so that a complaint stands at the entry. */
  #fits(template: Template, type: Type, call: CallCheck, scope: TypeScope, facts: Facts): void {
    const wanted = call.input;
    const maps = members(wanted).filter((member) => member.kind === "map");
    const [map] = maps;
    const entries = entriesOf(template);
    if (entries && map && members(wanted).length === 1) {
      for (const [key, value] of entries) {
        const field = map.fields.get(key)?.type ?? map.rest;
        if (field) this.#agrees(value, this.#quiet(value, scope, facts), field, call, key);
      }
      call.keys(
        entries.map(([key]) => key),
        map,
      );
    } else this.#agrees(template, type, wanted, call, "");
  }

  #agrees(template: Template, type: Type, wanted: Type, call: CallCheck, key: string): void {
    const place = template.kind === "hole" ? template.expression.place(leading(template.expression)) : call.place;
    const what = key === "" ? "its input" : `"${key}"`;
    if (type.kind !== "never" && !overlap(type, wanted)) {
      const detail = type.kind === "map" && wanted.kind === "map" ? missing(type, wanted) : "";
      this.#findings.error("INPUT_MISMATCH", place, `${call.name} takes ${show(wanted)} as ${what}, and this is ${show(type)}${detail}`);
    } else if (
      isNullable(type) &&
      nonNull(type).kind !== "never" &&
      !members(wanted).some((member) => member.kind === "null" || member.kind === "any")
    ) {
      const step = skippedBy(type);
      if (step !== undefined)
        this.#findings.warn(
          "REFERENCE_MAYBE_SKIPPED",
          place,
          `${call.name} takes ${show(wanted)} as ${what}, and this is null when the step "${step}" is skipped or has failed; give that step a default, or this one a when`,
        );
    }
  }

  #switch(cases: readonly Step[], scope: TypeScope, facts: Facts, name: string): Type {
    const types: Type[] = [];
    let known = facts;
    for (const step of cases) {
      const holds = step.when ? this.#condition(step.when, scope, known, "when") : known;
      types.push(this.#step({ ...step, when: undefined }, scope, holds, name));
      if (step.when) known = together(known, factsOf(step.when.ast, false));
    }
    if (cases.every((step) => step.when)) types.push({ kind: "null", skipped: name });
    return union(types);
  }

  #each(verb: Verb & { readonly kind: "each" }, scope: TypeScope, facts: Facts, name: string): Type {
    const { over } = verb;
    const item = over instanceof Expression ? this.#listed(over, scope, facts) : this.#streamed(over, scope, facts);
    const body = this.#step(
      verb.body,
      new Scope(scope, { [verb.as]: verb.batchSize === undefined ? item : listOf(item), index: number }),
      facts,
      name,
    );
    if (!verb.collect) return listOf(body);
    return mapOf({
      results: listOf(body),
      errors: listOf(mapOf({ index: number, item: any, code: string, message: string, step: string, details: any })),
    });
  }

  /** The type of the items of a list. */
  #listed(over: Expression, scope: TypeScope, facts: Facts): Type {
    const list = this.#expression(over, scope, facts);
    const lists = itemsOf(list);
    const at = over.place(leading(over));
    const step = skippedBy(list);
    if (lists.length === 0 && list.kind !== "never")
      this.#findings.error("TYPE_MISMATCH", at, `each goes over a list, and \`${over.text.trim()}\` is ${show(list)}`);
    else if (step !== undefined)
      this.#findings.warn(
        "REFERENCE_MAYBE_SKIPPED",
        at,
        `\`${over.text.trim()}\` is null when the step "${step}" is skipped or has failed; guard it, as in when: ${over.text.trim()} != null`,
      );
    return lists.length === 0 ? any : union(lists);
  }
  #streamed(over: StreamCall, scope: TypeScope, facts: Facts): Type {
    const items = itemsOf(this.#call(over, over.verb, scope, facts));
    this.#binding?.stream(over.verb);
    return items.length === 0 ? any : union(items);
  }

  /** Checks a condition and answers with what is known where it holds. */
  #condition(condition: Expression, scope: TypeScope, facts: Facts, what: string): Facts {
    this.#inference(condition, scope, true).boolean(condition.ast, facts, what);
    return together(facts, [...factsOf(condition.ast, true), ...conditions(condition.ast)]);
  }

  #template(template: Template, scope: TypeScope, facts: Facts, loud = true): Type {
    switch (template.kind) {
      case "constant":
        return typeOfValue(template.value);
      case "hole":
        return this.#expression(template.expression, scope, facts, loud);
      case "text":
        for (const part of template.parts)
          if (typeof part !== "string") this.#printed(part, this.#expression(part, scope, facts, loud), loud);
        return string;
      case "list":
        return listOf(union(template.items.map((item) => this.#template(item, scope, facts, loud))));
      case "map": {
        const fields = new Map(
          template.entries.map(([key, value]) => [key, { type: this.#template(value, scope, facts, loud), optional: false }] as const),
        );
        return { kind: "map", fields, rest: undefined, closed: true };
      }
    }
  }
  /** Once more, without saying again what was said. */
  #quiet(template: Template, scope: TypeScope, facts: Facts): Type {
    return this.#template(template, scope, facts, false);
  }

  #printed(expression: Expression, type: Type, loud: boolean): void {
    if (!loud) return;
    const at = expression.place(leading(expression));
    if (type.kind !== "never" && !overlap(type, printable))
      this.#findings.error(
        "TYPE_MISMATCH",
        at,
        `\`${expression.text.trim()}\` is ${show(type)}, which has no place inside text; let the hole be the whole value, or take a part of it`,
      );
    const step = skippedBy(type);
    if (step !== undefined)
      this.#findings.warn(
        "REFERENCE_MAYBE_SKIPPED",
        at,
        `\`${expression.text.trim()}\` prints "null" when the step "${step}" is skipped or has failed`,
      );
  }

  #scalar(template: Template, scope: TypeScope, facts: Facts, what: string): void {
    const type = this.#template(template, scope, facts);
    if (type.kind !== "never" && !overlap(type, printable) && template.kind === "hole")
      this.#findings.error(
        "TYPE_MISMATCH",
        template.expression.place(leading(template.expression)),
        `${what} is text, and \`${template.expression.text.trim()}\` is ${show(type)}`,
      );
  }

  #sleep(time: Template, scope: TypeScope, facts: Facts): void {
    const type = this.#template(time, scope, facts);
    const moment = union([number, string, { kind: "timestamp" }, { kind: "duration" }]);
    if (type.kind !== "never" && !overlap(type, moment) && time.kind === "hole")
      this.#findings.error(
        "TYPE_MISMATCH",
        time.expression.place(leading(time.expression)),
        `sleep takes a duration, or a moment as ISO text or milliseconds, and \`${time.expression.text.trim()}\` is ${show(type)}`,
      );
  }

  #expression(expression: Expression, scope: TypeScope, facts: Facts, loud = true): Type {
    return this.#inference(expression, scope, loud).type(expression.ast, facts);
  }

  #inference(expression: Expression, scope: TypeScope, loud: boolean): Inference {
    const findings = this.#findings;
    return new Inference(scope, {
      error: (code, offset, message) => loud && findings.error(code, expression.place(offset), message),
      warn: (code, offset, message) => loud && findings.warn(code, expression.place(offset), message),
    });
  }
}

const printable = union([string, number, bool, nothing, { kind: "timestamp" }, { kind: "duration" }]);

function itemsOf(list: Type): Type[] {
  return members(list).flatMap((member) => (member.kind === "list" ? [member.item] : member.kind === "any" ? [any] : []));
}

/** The entries of a map that is written out. */
function entriesOf(template: Template): readonly (readonly [string, Template])[] | undefined {
  if (template.kind === "map") return template.entries;
  if (template.kind !== "constant" || !isJsonMap(template.value)) return undefined;
  return Object.entries(template.value).map(([key, value]) => [key, { kind: "constant", value }]);
}

function leading(expression: Expression): number {
  return expression.text.length - expression.text.trimStart().length;
}

function missing(given: Type & { readonly kind: "map" }, wanted: Type & { readonly kind: "map" }): string {
  for (const [key, field] of wanted.fields) {
    const has = given.fields.get(key);
    if (!has && !field.optional && given.closed) return `, without "${key}"`;
    if (has && !overlap(has.type, field.type)) return `, whose "${key}" is ${show(has.type)} and not ${show(field.type)}`;
  }
  for (const key of given.fields.keys()) if (wanted.closed && !wanted.fields.has(key)) return `, with "${key}", which it does not take`;
  return "";
}

/** The steps of a block so that each comes after those it refers to. */
function runningOrder(block: Block): number[] {
  const left = block.steps.map(() => 0);
  for (const list of block.dependents) for (const { step } of list) left[step] = (left[step] ?? 0) + 1;
  const order = block.steps.map((_, i) => i).filter((i) => left[i] === 0);
  for (let at = 0; at < order.length; at++)
    for (const { step } of block.dependents[order[at] as number] ?? []) {
      left[step] = (left[step] ?? 0) - 1;
      if (left[step] === 0) order.push(step);
    }
  return order;
}
