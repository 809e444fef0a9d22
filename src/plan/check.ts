/**
 * What can be said about a flow before it runs: the types of its expressions, and with the nodes whether they are there
 * and take what they are given. Steps are visited in the order in which they can run, so a reference is always typed.
 */
import type { Contract, NodeSource } from "../node/contract.ts";
import { Binding } from "./bind.ts";
import { Expression } from "./expression.ts";
import { Findings, type Place } from "./finding.ts";
import { Fitting, placeOf } from "./fits.ts";
import type { Block, Step, StreamCall, Verb } from "./flow.ts";
import { Inference, type TypeScope } from "./infer.ts";
import { conditions, type Facts, factsOf, forget, noFacts, together } from "./narrow.ts";
import { flowOf, fromOutside } from "./outputs.ts";
import { checkRules } from "./rules/rules.ts";
import { outputType, typeOfSchema } from "./schema-type.ts";
import type { Template } from "./template.ts";
import {
  any,
  bool,
  listOf,
  mapOf,
  members,
  never,
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
  flowType(read, nodes, findings);
  checkRules(read, nodes, findings);
}

/** What the flow gives. */
function flowType(read: Read, nodes: NodeSource | undefined, findings: Findings): Type {
  const { flow } = read;
  const scope = new Scope(undefined, {
    input: read.input ? typeOfSchema(read.input.raw, read.input.files, "taken") : any,
    config: read.configSchema ? typeOfSchema(read.configSchema.raw, read.configSchema.files, "taken") : any,
    values: typeOfValue(flow.values),
    run: mapOf({ id: string, correlationId: string }),
  });
  const signals = new Map([...read.signals].map(([name, schema]) => [name, typeOfSchema(schema.raw, schema.files, "taken")]));
  const binding = nodes && new Binding(nodes, flow, findings, (contract) => outputOf(contract, nodes));
  return new Checker(findings, signals, binding, false).block(flow.body, scope, noFacts, true);
}

const outputs = new WeakMap<NodeSource, WeakMap<Contract, Type>>();

/** What a node gives: as it declares, or, of a workflow that came as data, what its flow gives. */
function outputOf(contract: Contract, nodes: NodeSource): Type {
  const read = flowOf(contract);
  if (!read) return outputType(contract);
  const known = outputs.get(nodes) ?? new WeakMap<Contract, Type>();
  outputs.set(nodes, known);
  const before = known.get(contract);
  if (before) return before;
  // One that calls itself gives what it will turn out to give.
  known.set(contract, any);
  const type = fromOutside(flowType(read, nodes, new Findings(read.flow.name)));
  known.set(contract, type);
  return type;
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
  /** What each template gave when it was last looked at. */
  readonly #types = new Map<Template, Type>();

  /** A first look at a body, whose complaints nobody hears. */
  readonly #first: boolean;

  constructor(findings: Findings, signals: ReadonlyMap<string, Type>, binding: Binding | undefined, first: boolean) {
    this.#findings = findings;
    this.#signals = signals;
    this.#binding = binding;
    this.#first = first;
  }

  block(block: Block, outer: TypeScope, facts: Facts, implicit: boolean): Type {
    const scope = new Scope(outer);
    let ends = true;
    for (const i of runningOrder(block)) {
      const step = block.steps[i];
      if (!step) continue;
      const type = this.#step(step.body, scope, facts, step.name);
      scope.set(step.name, type);
      // One that always fails fails its block, unless others judge it.
      if (type.kind === "never" && !step.judged) ends = false;
    }
    const output = block.output && this.#template(block.output, scope, facts);
    if (!ends) return never;
    if (output) return output;
    return implicit ? (scope.get(block.steps.at(-1)?.name ?? "") ?? nothing) : nothing;
  }

  #step(step: Step, scope: TypeScope, facts: Facts, name: string): Type {
    const known = step.when ? this.#condition(step.when, scope, facts, "when") : facts;
    let type = this.#verb(step, step.verb, scope, known, name);
    if (step.when)
      type = union([
        type,
        step.fallback
          ? this.#template(step.fallback, scope, together(facts, factsOf(step.when.ast, false)))
          : { kind: "null", skipped: name, conditions: conditions(step.when.ast) },
      ]);
    if (step.onError === "continue") type = union([type, { kind: "null", skipped: name }]);
    else if (step.onError !== "fail")
      type = union([type, this.#step(step.onError, new Scope(scope, { error: errorType }), forget(known, ["error"]), name)]);
    return step.outcome ? outcomeType : type;
  }

  #verb(step: Step, verb: Verb, scope: TypeScope, facts: Facts, name: string): Type {
    switch (verb.kind) {
      case "call":
        return this.#call(step, verb, scope, facts);
      case "read":
        if (verb.key) this.#scalar(verb.key, scope, facts, "key", verb.place);
        return this.#binding?.read(verb) ?? any;
      case "wait":
        return this.#signals.get(verb.signal) ?? any;
      case "sleep":
        if (verb.time) this.#sleep(verb.time, scope, facts);
        return nothing;
      case "set":
        return this.#template(verb.value, scope, facts);
      case "fail":
        this.#code(verb.code, scope, facts);
        if (verb.message) this.#scalar(verb.message, scope, facts, "message", step.place);
        if (verb.details) this.#template(verb.details, scope, facts);
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
        const inner = forget(facts, ["last", "index"]);
        const turn = (last: Type): TypeScope => new Scope(scope, { last, index: number });
        const first = this.#first ? this : this.#quiet();
        const unknown = first.#step(verb.body, turn(any), inner, name);
        // What comes of anything may be what `last` was: then it is what comes of nothing, as in the first turn.
        const before = unknown.kind === "any" && !this.#first ? first.#step(verb.body, turn(nothing), inner, name) : unknown;
        const body = this.#first ? before : this.#step(verb.body, turn(union([before, nothing])), inner, name);
        this.#condition(verb.until, turn(body), inner, "until");
        return body;
      }
    }
  }

  #call(step: Step, verb: Verb & { readonly kind: "call" }, scope: TypeScope, facts: Facts): Type {
    const call = this.#binding?.call(verb, step);
    if (verb.with) {
      this.#template(verb.with, scope, facts);
      if (call) new Fitting(this.#findings, call, (template) => this.#types.get(template) ?? any).check(verb.with, call.input);
    } else call?.withoutInput();
    // Checked for its own sake: what an undo gives goes nowhere.
    if (step.undo)
      this.#step(
        step.undo,
        new Scope(scope, {
          done: mapOf({ input: call?.input ?? any, output: union([call?.output ?? any, nothing]), idempotencyKey: string }),
        }),
        forget(facts, ["done"]),
        "undo",
      );
    return call?.output ?? any;
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
      forget(facts, [verb.as, "index"]),
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
    const at = over.start;
    const step = skippedBy(list);
    if (lists.length === 0 && list.kind !== "never")
      this.#findings.error("TYPE_MISMATCH", at, `each goes over a list, and \`${over.text.trim()}\` is ${show(list)}`);
    else if (step !== undefined)
      this.#findings.warn(
        "REFERENCE_MAYBE_SKIPPED",
        at,
        `\`${over.text.trim()}\` is null when the step "${step}" is skipped or has failed; guard it, as in when: ${over.text.trim()} != null`,
      );
    else if (members(list).some((member) => member.kind === "null") && !members(list).some((member) => member.kind === "any"))
      this.#findings.warn(
        "REFERENCE_MAYBE_NULL",
        at,
        `\`${over.text.trim()}\` may be null, and each goes over a list; guard it, as in when: ${over.text.trim()} != null`,
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
    this.#inference(condition, scope).boolean(condition.ast, facts, what);
    return together(facts, [...factsOf(condition.ast, true), ...conditions(condition.ast)]);
  }

  #template(template: Template, scope: TypeScope, facts: Facts): Type {
    const type = this.#typed(template, scope, facts);
    this.#types.set(template, type);
    return type;
  }

  #typed(template: Template, scope: TypeScope, facts: Facts): Type {
    switch (template.kind) {
      case "constant":
        return typeOfValue(template.value);
      case "hole":
        return recorded(this.#expression(template.expression, scope, facts));
      case "text":
        for (const part of template.parts) if (typeof part !== "string") this.#printed(part, this.#expression(part, scope, facts));
        return string;
      case "list":
        return listOf(union(template.items.map((item) => this.#template(item, scope, facts))));
      case "map": {
        const fields = new Map(
          template.entries.map(([key, value]) => [key, { type: this.#template(value, scope, facts), optional: false }] as const),
        );
        return { kind: "map", fields, rest: undefined, closed: true };
      }
    }
  }
  #printed(expression: Expression, type: Type): void {
    const at = expression.start;
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

  #scalar(template: Template, scope: TypeScope, facts: Facts, what: string, place: Place): void {
    const type = this.#template(template, scope, facts);
    const written = template.kind === "hole" ? `\`${template.expression.text.trim()}\`` : "this";
    const at = placeOf(template, place);
    const step = skippedBy(type);
    if (type.kind !== "never" && !overlap(type, printable))
      this.#findings.error("TYPE_MISMATCH", at, `${what} is text, and ${written} is ${show(type)}`);
    else if (step !== undefined && overlap(type, spoken))
      this.#findings.warn(
        "REFERENCE_MAYBE_SKIPPED",
        at,
        `${what} is text, and ${written} is null when the step "${step}" is skipped or has failed`,
      );
  }

  #code(template: Template, scope: TypeScope, facts: Facts): void {
    const type = this.#template(template, scope, facts);
    if (template.kind === "hole" && type.kind !== "never" && !overlap(type, codes))
      this.#findings.error(
        "TYPE_MISMATCH",
        template.expression.start,
        `code is text in capitals, such as NOT_APPROVED, and \`${template.expression.text.trim()}\` is ${show(type)}`,
      );
  }

  /** One that looks at the same things and complains to nobody. */
  #quiet(): Checker {
    const findings = new Findings("");
    return new Checker(findings, this.#signals, this.#binding?.toldTo(findings), true);
  }

  #sleep(time: Template, scope: TypeScope, facts: Facts): void {
    const type = this.#template(time, scope, facts);
    const moment = union([number, string, { kind: "timestamp" }, { kind: "duration" }]);
    if (type.kind !== "never" && !overlap(type, moment) && time.kind === "hole")
      this.#findings.error(
        "TYPE_MISMATCH",
        time.expression.start,
        `sleep takes a duration, or a moment as ISO text or milliseconds, and \`${time.expression.text.trim()}\` is ${show(type)}`,
      );
  }

  #expression(expression: Expression, scope: TypeScope, facts: Facts): Type {
    return this.#inference(expression, scope).type(expression.ast, facts);
  }

  #inference(expression: Expression, scope: TypeScope): Inference {
    const findings = this.#findings;
    return new Inference(scope, {
      error: (code, offset, message) => findings.error(code, expression.place(offset), message),
      warn: (code, offset, message) => findings.warn(code, expression.place(offset), message),
    });
  }
}

/** What `fail` takes as a code; another text would become STEP_FAILED. */
const codes: Type = { kind: "string", rule: { pattern: "^[A-Z][A-Z0-9_]*$" } };
const spoken = union([string, number, bool]);
const printable = union([string, number, bool, nothing, { kind: "timestamp" }, { kind: "duration" }]);

function itemsOf(list: Type): Type[] {
  return members(list).flatMap((member) => (member.kind === "list" ? [member.item] : member.kind === "any" ? [any] : []));
}

/** What an expression gives, as it is kept: a moment and a span become text. */
function recorded(type: Type, depth = 0): Type {
  if (depth > 6) return any;
  switch (type.kind) {
    case "timestamp":
    case "duration":
      return string;
    case "union":
      return type.of.some((member) => member.kind !== recorded(member, depth).kind)
        ? union(type.of.map((member) => recorded(member, depth)))
        : type;
    case "list": {
      const item = recorded(type.item, depth + 1);
      return item === type.item ? type : listOf(item);
    }
    default:
      return type;
  }
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
