/** The type of an expression, and what is certainly wrong in it. */
import type { ASTNode } from "@marcbachmann/cel-js";
import { source } from "./cel/compile.ts";
import { type Facts, factsOf, forget, kept, narrowed, pathOf, together } from "./narrow.ts";
import { didYouMean } from "./suggest.ts";
import {
  any,
  bool,
  type Field,
  isNullable,
  listOf,
  members,
  never,
  nonNull,
  nothing,
  number,
  overlap,
  show,
  showKind,
  skippedBy,
  span,
  string,
  type Type,
  timestamp,
  typeOfValue,
  union,
} from "./types.ts";

export interface Complain {
  error(code: string, offset: number, message: string): void;
  warn(code: string, offset: number, message: string): void;
}
export interface TypeScope {
  get(name: string): Type | undefined;
}

export class Inference {
  readonly #scope: TypeScope;
  readonly #complain: Complain;
  constructor(scope: TypeScope, complain: Complain) {
    this.#scope = scope;
    this.#complain = complain;
  }

  type(ast: ASTNode, facts: Facts): Type {
    switch (ast.op) {
      case "value":
        return literal(ast.args);
      case "id":
        return narrowed(this.#scope.get(ast.args) ?? any, ast.args, facts);
      case ".":
        return this.#access(ast, ast.args[0], ast.args[1], facts);
      case "[]":
        return this.#index(ast, ast.args[0], ast.args[1], facts);
      case "list":
        return listOf(union(ast.args.map((item) => this.type(item, facts))));
      case "map":
        return this.#map(ast.args, facts);
      case "?:": {
        const [condition, yes, no] = ast.args;
        this.boolean(condition, facts, "the condition before ?");
        return union([
          this.type(yes, together(facts, factsOf(condition, true))),
          this.type(no, together(facts, factsOf(condition, false))),
        ]);
      }
      case "&&":
      case "||": {
        const [left, right] = ast.args;
        this.boolean(left, facts, `the left side of ${ast.op}`);
        this.boolean(right, together(facts, factsOf(left, ast.op === "&&")), `the right side of ${ast.op}`);
        return bool;
      }
      case "!_":
        this.boolean(ast.args, facts, "what follows !");
        return bool;
      case "-_":
        this.#want(ast.args, this.type(ast.args, facts), number, "-");
        return number;
      case "==":
      case "!=":
        return this.#equality(ast, ast.args[0], ast.args[1], facts);
      case "in":
        return this.#in(ast.args[0], ast.args[1], facts);
      case "+":
      case "-":
      case "*":
      case "/":
      case "%":
        return this.#arithmetic(ast, ast.op, ast.args[0], ast.args[1], facts);
      case "<":
      case "<=":
      case ">":
      case ">=":
        return this.#ordered(ast, ast.op, ast.args[0], ast.args[1], facts);
      case "call":
        return this.#call(ast.args[0], ast.args[1], facts);
      case "rcall":
        return this.#method(ast, ast.args[0], ast.args[1], ast.args[2], facts);
      default:
        return any;
    }
  }

  /** The type, where a boolean must stand. */
  boolean(ast: ASTNode, facts: Facts, what: string): void {
    const type = this.type(ast, facts);
    this.#maybeNull(ast, type);
    if (!overlap(type, bool) && type.kind !== "never")
      this.#complain.error("TYPE_MISMATCH", ast.start, `${what} must be true or false, and \`${short(ast)}\` is ${showKind(type)}`);
  }

  /** A use that null does not survive. */
  #maybeNull(ast: ASTNode, type: Type): void {
    if (!isNullable(type) || nonNull(type).kind === "never") return;
    const text = short(ast);
    const step = skippedBy(type);
    if (step !== undefined)
      this.#complain.warn(
        "REFERENCE_MAYBE_SKIPPED",
        ast.start,
        `\`${text}\` is null when the step "${step}" is skipped or has failed; guard it with \`${text} != null\`, or give the step a default`,
      );
    else if (type.kind === "union" && !type.of.some((member) => member.kind === "any"))
      this.#complain.warn("REFERENCE_MAYBE_NULL", ast.start, `\`${text}\` may be null; guard it with \`${text} != null\``);
  }

  #want(ast: ASTNode, type: Type, wanted: Type, what: string): void {
    this.#maybeNull(ast, type);
    if (type.kind !== "never" && !overlap(type, wanted))
      this.#complain.error("TYPE_MISMATCH", ast.start, `${what} takes ${showKind(wanted)}, and \`${short(ast)}\` is ${showKind(type)}`);
  }

  #access(ast: ASTNode, of: ASTNode, key: string, facts: Facts): Type {
    const type = this.type(of, facts);
    const text = short(of);
    this.#maybeNull(of, type);
    const found: Type[] = [];
    const names = new Set<string>();
    let possible = false;
    let absent = false;
    for (const member of members(type)) {
      if (member.kind === "any") return any;
      if (member.kind !== "map") continue;
      possible = true;
      const field: Field | undefined = member.fields.get(key);
      if (field) found.push(field.type);
      else if (member.rest) found.push(member.rest);
      if (field ? field.optional && !field.unsaid : member.closed && !member.rest) absent = true;
      for (const name of member.fields.keys()) names.add(name);
    }
    if (found.length > 0) {
      const path = pathOf(ast);
      if (absent && !facts.has(`?${path}`) && !asked(pathOf(of), facts))
        this.#complain.warn(
          "REFERENCE_MAYBE_ABSENT",
          ast.pos,
          `\`${text}\` may have no "${key}", and the run fails here when it has none; guard it with \`has(${short(ast)})\`, or let its schema require it`,
        );
      return narrowed(union(found), path, facts);
    }
    if (type.kind === "never") return never;
    if (!possible) {
      const what = type.kind === "null" ? "always null" : show(type);
      this.#complain.error("TYPE_MISMATCH", of.start, `\`${text}\` is ${what}, and has no "${key}"`);
    } else {
      const known = [...names];
      const hint = didYouMean(key, known) || (known.length > 0 && known.length <= 12 ? ` It has ${known.join(", ")}.` : "");
      this.#complain.error("REFERENCE_UNKNOWN", ast.pos, `\`${text}\` has no "${key}".${hint}`);
    }
    return any;
  }

  #index(ast: ASTNode, of: ASTNode, at: ASTNode, facts: Facts): Type {
    if (at.op === "value" && typeof at.args === "string") return this.#access(ast, of, at.args, facts);
    const type = this.type(of, facts);
    const key = this.type(at, facts);
    this.#maybeNull(of, type);
    const found = members(type).flatMap((member): Type[] => {
      if (member.kind === "any") return [any];
      if (member.kind === "list") return overlap(key, number) ? [member.item] : [];
      if (member.kind === "map")
        return overlap(key, string)
          ? [...[...member.fields.values()].map((field) => field.type), ...(member.rest ? [member.rest] : [])]
          : [];
      return [];
    });
    if (found.length > 0) return narrowed(union(found), pathOf(ast), facts);
    if (nonNull(type).kind !== "never" && key.kind !== "never" && !emptyMap(type))
      this.#complain.error("TYPE_MISMATCH", of.start, `\`${short(of)}\` is ${showKind(type)}, and has no items by ${showKind(key)}`);
    return any;
  }

  #map(entries: readonly (readonly [ASTNode, ASTNode])[], facts: Facts): Type {
    const fields = new Map<string, Field>();
    let rest: Type | undefined;
    for (const [key, value] of entries) {
      const type = this.type(value, facts);
      if (key.op === "value" && typeof key.args === "string") fields.set(key.args, { type, optional: false });
      else rest = rest ? union([rest, type]) : type;
    }
    return { kind: "map", fields, rest, closed: rest === undefined };
  }

  #equality(ast: ASTNode, left: ASTNode, right: ASTNode, facts: Facts): Type {
    const a = this.type(left, facts);
    const b = this.type(right, facts);
    const nulls = a.kind === "null" || b.kind === "null";
    if (!nulls && a.kind !== "never" && b.kind !== "never" && !overlap(a, b))
      this.#complain.warn(
        "COMPARISON_CONSTANT",
        ast.start,
        `\`${short(left)}\` (${show(a)}) never equals \`${short(right)}\` (${show(b)})`,
      );
    return bool;
  }

  #in(item: ASTNode, all: ASTNode, facts: Facts): Type {
    const wanted = this.type(item, facts);
    const type = this.type(all, facts);
    this.#want(all, type, collection, '"in"');
    const lists = members(nonNull(type));
    if (wanted.kind === "never" || lists.length === 0) return bool;
    if (lists.every((member) => member.kind === "map") && !overlap(wanted, string))
      this.#complain.error("TYPE_MISMATCH", item.start, `the keys of a map are strings, and \`${short(item)}\` is ${showKind(wanted)}`);
    else if (lists.every((member) => member.kind === "list" && member.item.kind !== "never" && !overlap(member.item, wanted)))
      this.#complain.warn(
        "COMPARISON_CONSTANT",
        item.start,
        `\`${short(item)}\` (${show(wanted)}) is never in \`${short(all)}\` (${show(type)})`,
      );
    return bool;
  }

  #arithmetic(ast: ASTNode, operator: string, left: ASTNode, right: ASTNode, facts: Facts): Type {
    const a = this.type(left, facts);
    const b = this.type(right, facts);
    this.#maybeNull(left, a);
    this.#maybeNull(right, b);
    const results = members(nonNull(a)).flatMap((x) => members(nonNull(b)).flatMap((y) => joined(operator, x, y)));
    if (results.length > 0) return union(results);
    if (a.kind === "never" || b.kind === "never") return never;
    const text = operator === "+" && (overlap(a, string) || overlap(b, string)) && (overlap(a, number) || overlap(b, number));
    this.#complain.error(
      "TYPE_MISMATCH",
      ast.start,
      `${operator} does not join ${showKind(a)} and ${showKind(b)}${text ? "; write string(…) around the number" : ""}`,
    );
    return any;
  }

  #ordered(ast: ASTNode, operator: string, left: ASTNode, right: ASTNode, facts: Facts): Type {
    const a = this.type(left, facts);
    const b = this.type(right, facts);
    this.#maybeNull(left, a);
    this.#maybeNull(right, b);
    const fits = members(a).some((x) =>
      members(b).some(
        (y) =>
          x.kind === "any" ||
          y.kind === "any" ||
          (x.kind === y.kind && ["number", "string", "bool", "timestamp", "duration"].includes(x.kind)),
      ),
    );
    if (!fits && a.kind !== "never" && b.kind !== "never")
      this.#complain.error("TYPE_MISMATCH", ast.start, `${operator} does not compare ${showKind(a)} and ${showKind(b)}`);
    return bool;
  }

  #call(name: string, args: readonly ASTNode[], facts: Facts): Type {
    const [arg] = args;
    if (name === "has") {
      if (arg?.op === ".") this.#has(arg.args[0], arg.args[1], arg.pos, facts);
      return bool;
    }
    const type = arg ? this.type(arg, facts) : any;
    if (!arg) return any;
    switch (name) {
      case "size":
        this.#want(arg, type, measured, "size()");
        return number;
      case "string":
        this.#want(arg, type, scalar, "string()");
        return string;
      case "int":
      case "uint":
      case "double":
        this.#want(arg, type, numeric, `${name}()`);
        return number;
      case "bool":
        this.#want(arg, type, union([bool, string]), "bool()");
        return bool;
      case "timestamp":
        this.#want(arg, type, numeric, "timestamp()");
        return timestamp;
      case "duration":
        this.#want(arg, type, union([string, span]), "duration()");
        return span;
      default:
        // dyn(): who writes it knows better.
        return any;
    }
  }

  /** has(x.y): x may be null, but y must be something that x could have. */
  #has(of: ASTNode, key: string, offset: number, facts: Facts): void {
    const maps = members(this.type(of, facts));
    if (maps.some((member) => member.kind === "any" || (member.kind === "map" && (member.fields.has(key) || member.rest !== undefined))))
      return;
    const names = maps.flatMap((member) => (member.kind === "map" ? [...member.fields.keys()] : []));
    if (names.length > 0)
      this.#complain.error("REFERENCE_UNKNOWN", offset, `\`${short(of)}\` never has "${key}".${didYouMean(key, names)}`);
  }

  #method(ast: ASTNode, name: string, receiver: ASTNode, args: readonly ASTNode[], facts: Facts): Type {
    if (name === "bind" && args[0]?.op === "id" && args[1] && args[2])
      return this.#with(args[0].args, this.type(args[1], facts)).type(args[2], forget(facts, [args[0].args]));
    const type = this.type(receiver, facts);
    if (["all", "exists", "exists_one", "map", "filter"].includes(name)) return this.#macro(ast, name, receiver, type, args, facts);
    args.forEach((arg, i) => {
      const given = this.type(arg, facts);
      this.#want(arg, given, name === "substring" || i > 0 ? number : string, `.${name}()`);
    });
    if (name.startsWith("get")) {
      this.#want(receiver, type, union([timestamp, span]), `.${name}()`);
      return number;
    }
    this.#want(receiver, type, name === "join" ? listOf(string) : name === "size" ? measured : string, `.${name}()`);
    if (name === "split") return listOf(string);
    if (["contains", "startsWith", "endsWith", "matches"].includes(name)) return bool;
    return ["size", "indexOf", "lastIndexOf"].includes(name) ? number : string;
  }

  #macro(ast: ASTNode, name: string, receiver: ASTNode, type: Type, args: readonly ASTNode[], facts: Facts): Type {
    this.#want(receiver, type, collection, `.${name}()`);
    const [variable] = args;
    if (variable?.op !== "id") return any;
    const item = union(
      members(type).map((member) =>
        member.kind === "list" ? member.item : member.kind === "map" ? string : member.kind === "any" ? any : never,
      ),
    );
    const inner = this.#with(variable.args, item.kind === "never" ? any : item);
    const local = forget(facts, [variable.args]);
    if (name === "map") {
      if (args.length === 3 && args[1]) inner.boolean(args[1], local, "the condition of .map()");
      const body = args.at(-1) as ASTNode;
      return listOf(inner.type(body, args.length === 3 && args[1] ? together(local, factsOf(args[1], true)) : local));
    }
    if (args[1]) inner.boolean(args[1], local, `the condition of ${short(ast, 30)}`);
    if (name !== "filter") return bool;
    return listOf(args[1] ? kept(item, variable.args, new Set(factsOf(args[1], true))) : item);
  }

  #with(name: string, type: Type): Inference {
    const outer = this.#scope;
    return new Inference({ get: (other) => (other === name ? type : outer.get(other)) }, this.#complain);
  }
}

const numeric = union([number, string, timestamp]);
const scalar = union([string, number, bool, timestamp, span]);
const collection: Type = { kind: "union", of: [listOf(any), { kind: "map", fields: new Map(), rest: any, closed: false }] };
const measured: Type = { kind: "union", of: [string, ...members(collection)] };

function literal(value: unknown): Type {
  if (value === null) return nothing;
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "number") return typeOfValue(value);
  return typeof value === "bigint" ? typeOfValue(Number(value)) : number;
}

/** Whether a condition about the map has been asked: who knows its kind knows what it has (`when: input.express`, then `input.day`). */
function asked(map: string, facts: Facts): boolean {
  for (const fact of facts) if (fact[0] === "=" && fact.includes(`${map}.`)) return true;
  return false;
}

/** A map that is written out without any key: what is looked up in it is not there, which is no matter of types. */
function emptyMap(type: Type): boolean {
  return members(type).some((member) => member.kind === "map" && member.fields.size === 0);
}

function joined(operator: string, a: Type, b: Type): Type[] {
  if (a.kind === "any" || b.kind === "any") {
    const known = a.kind === "any" ? b : a;
    // A number is joined with a number only, and a text with a text.
    if (known.kind === "number") return [number];
    if (known.kind === "string" && operator === "+") return [string];
    return [known.kind !== "any" && operator !== "+" && operator !== "-" ? number : any];
  }
  if (a.kind === "number" && b.kind === "number") return [number];
  if (operator === "+") {
    if (a.kind === "string" && b.kind === "string") return [string];
    if (a.kind === "list" && b.kind === "list") return [listOf(union([a.item, b.item]))];
  }
  if (operator !== "+" && operator !== "-") return [];
  if (a.kind === "duration" && b.kind === "duration") return [span];
  if (a.kind === "timestamp" && b.kind === "duration") return [timestamp];
  if (operator === "+" && a.kind === "duration" && b.kind === "timestamp") return [timestamp];
  return operator === "-" && a.kind === "timestamp" && b.kind === "timestamp" ? [span] : [];
}

function short(ast: ASTNode, most = 60): string {
  const text = source(ast).replaceAll(/\s+/g, " ");
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
