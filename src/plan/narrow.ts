/**
 * What is known once a condition has held. Facts are texts about places (`answer.value`, `items[0].sku`):
 *
 *     answer            it is not null
 *     ?answer.value     it is there, since it was read, or has() said so
 *     ~answer.winner="paid"   it is this scalar
 *     !answer.winner="paid"   it is not
 *     =risk.high        this condition is true
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { source } from "./cel/compile.ts";
import { any, isNullable, type MapType, members, nonNull, overlap, type Type, typeOfValue, union } from "./types.ts";

export type Facts = ReadonlySet<string>;
export const noFacts: Facts = new Set();

/** The name of a place, equal for equal places. */
export function pathOf(ast: ASTNode): string {
  if (ast.op === "id") return ast.args;
  if (ast.op === ".") return `${pathOf(ast.args[0])}.${ast.args[1]}`;
  if (ast.op === "[]" && ast.args[1].op === "value" && typeof ast.args[1].args === "string")
    return `${pathOf(ast.args[0])}.${ast.args[1].args}`;
  if (ast.op === "[]") return `${pathOf(ast.args[0])}[${pathOf(ast.args[1])}]`;
  return `(${plain(ast)})`;
}

/** The conditions that all hold when the whole one does, in a form that is equal for equal conditions. */
export function conditions(ast: ASTNode): string[] {
  if (ast.op === "&&") return ast.args.flatMap(conditions);
  return [`=${plain(ast)}`];
}
function plain(ast: ASTNode): string {
  return source(ast).replaceAll(/\s+/g, "");
}

/** The facts that follow when `ast` turned out as `truth`. */
export function factsOf(ast: ASTNode, truth: boolean): string[] {
  switch (ast.op) {
    case "&&":
      return truth ? ast.args.flatMap((side) => factsOf(side, true)) : [];
    case "||":
      return truth ? [] : ast.args.flatMap((side) => factsOf(side, false));
    case "!_":
      return factsOf(ast.args, !truth);
    default: {
      const known = [...(truth ? conditions(ast) : []), ...read(ast)];
      if (ast.op === "==" || ast.op === "!=") return [...known, ...equality(ast.args[0], ast.args[1], (ast.op === "==") === truth)];
      if (ast.op === "in" && truth) return [...known, ...within(ast.args[0], ast.args[1])];
      if (ast.op === "call" && ast.args[0] === "has" && truth && ast.args[1][0])
        return [...known, ...reached(ast.args[1][0]), ...read(ast.args[1][0])];
      return [...known, ...later(ast, truth)];
    }
  }
}

/** `x == y` or its contrary: beside a literal, what is compared is that, or is not. */
function equality(a: ASTNode, b: ASTNode, equal: boolean): string[] {
  const facts: string[] = [];
  for (const [side, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const path = pathOf(side);
    const value = literal(other);
    if (value === undefined) continue;
    if ((value === null) !== equal) facts.push(path);
    if (value === null) continue;
    facts.push(`${equal ? "~" : "!"}${path}=${JSON.stringify(value)}`);
    // In a repeat there is a value of the turn before from the second turn on.
    if (path === "index" && value === 0 && !equal) facts.push("last");
  }
  return facts;
}

/** `index > 0`. */
function later(ast: ASTNode, truth: boolean): string[] {
  if (ast.op !== "<" && ast.op !== "<=" && ast.op !== ">" && ast.op !== ">=") return [];
  const [left, right] = ast.args.map((side) => (side.op === "id" ? side.args : String(literal(side) ?? "")));
  const text = `${left}${ast.op}${right}`;
  return (truth ? ["index>0", "index>=1", "0<index", "1<=index"] : ["index<1", "index<=0", "1>index", "0>=index"]).includes(text)
    ? ["last"]
    : [];
}

/** `"key" in map`: it is there. */
function within(item: ASTNode, all: ASTNode): string[] {
  const key = literal(item);
  return typeof key === "string" ? [pathOf(all), `?${pathOf(all)}.${key}`] : [pathOf(item)];
}

function literal(ast: ASTNode): string | number | boolean | null | undefined {
  if (ast.op !== "value") return undefined;
  const { args } = ast;
  if (typeof args === "bigint") return Number(args);
  return args === null || typeof args === "string" || typeof args === "number" || typeof args === "boolean" ? args : undefined;
}

/** What was there, since `ast` gave a value. Of what may not have been looked at, nothing. */
function read(ast: ASTNode): string[] {
  switch (ast.op) {
    case ".":
    case "[]":
      return [...reached(ast), `?${pathOf(ast)}`, ...read(ast.args[0])];
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
      return ast.args.flatMap((side) => [pathOf(side), ...read(side)]);
    case "==":
    case "!=":
    case "in":
      return ast.args.flatMap(read);
    case "call":
      return ast.args[0] === "has" || ast.args[0] === "dyn" ? [] : ast.args[1].flatMap((arg) => [pathOf(arg), ...read(arg)]);
    case "rcall":
      return [pathOf(ast.args[1]), ...read(ast.args[1])];
    default:
      return [];
  }
}

/** `a.b.c` is there: so `a.b` is not null. */
function reached(ast: ASTNode): string[] {
  if (ast.op !== "." && ast.op !== "[]") return [];
  return [pathOf(ast.args[0]), `?${pathOf(ast)}`];
}

export function together(facts: Facts, more: readonly string[]): Facts {
  return more.length === 0 ? facts : new Set([...facts, ...more]);
}

/** Without what is known of other things of these names. */
export function forget(facts: Facts, names: readonly string[]): Facts {
  if (facts.size === 0) return facts;
  const mentions = new RegExp(`\\b(?:${names.join("|")})\\b`);
  return new Set([...facts].filter((fact) => !mentions.test(fact)));
}

/** Without what the facts rule out. */
export function narrowed(type: Type, path: string, facts: Facts): Type {
  if (facts.size === 0) return type;
  let known = type;
  if (isNullable(known))
    known = facts.has(path)
      ? nonNull(known)
      : union(
          members(known).filter((member) => !(member.kind === "null" && member.conditions?.every((condition) => facts.has(condition)))),
        );
  for (const fact of facts) {
    const mark = fact[0];
    if (mark === "=" || !fact.startsWith(path, mark === "~" || mark === "!" || mark === "?" ? 1 : 0)) continue;
    const rest = fact.slice((mark === "~" || mark === "!" || mark === "?" ? 1 : 0) + path.length);
    // What is not a value says something only of a type with few values.
    if (mark === "!" && rest[0] === "=" && !members(known).some((member) => "values" in member)) continue;
    if ((mark === "~" || mark === "!") && rest[0] === "=") known = scalar(known, JSON.parse(rest.slice(1)), mark === "~");
    else if (rest[0] === ".") known = chosen(known, mark, rest.slice(1));
  }
  return known;
}

/** The same of a value that goes on without the name by which the facts know it: its fields carry what is known of them. */
export function kept(type: Type, path: string, facts: Facts): Type {
  return union(
    members(narrowed(type, path, facts)).map((member) => {
      if (member.kind !== "map") return member;
      const fields = [...member.fields].map(([key, field]) => {
        const there = `${path}.${key}`;
        return [key, { ...field, type: narrowed(field.type, there, facts), optional: field.optional && !facts.has(`?${there}`) }] as const;
      });
      return { ...member, fields: new Map(fields) };
    }),
  );
}

function scalar(type: Type, value: string | number | boolean, is: boolean): Type {
  const exact = typeOfValue(value);
  return union(
    members(type).flatMap((member): readonly Type[] => {
      if (member.kind === "any") return [any];
      if (is) return overlap(member, exact) ? [member.kind === exact.kind ? exact : member] : [];
      if ((member.kind !== "string" && member.kind !== "number") || !member.values) return [member];
      const values = (member.values as readonly (string | number)[]).filter((other) => other !== value);
      return values.length === 0 ? [] : [{ kind: member.kind, values } as Type];
    }),
  );
}

/** Of several maps those whose field is what is known of it: `winner="paid"`, not null, there. */
function chosen(type: Type, mark: string | undefined, about: string): Type {
  if (type.kind !== "union") return type;
  const [, key = "", equals] = /^([A-Za-z_]\w*)(=.*)?$/s.exec(about) ?? [];
  if (key === "" || (mark === "~" || mark === "!") !== (equals !== undefined)) return type;
  const value = equals === undefined ? undefined : typeOfValue(JSON.parse(equals.slice(1)));
  const fits = (map: MapType): boolean => {
    const field = map.fields.get(key);
    if (!field) return !map.closed || map.rest !== undefined;
    if (mark === "~") return value !== undefined && overlap(field.type, value);
    if (mark === "!") return !only(field.type, value);
    return mark === "?" || field.type.kind !== "null";
  };
  return union(type.of.filter((member) => member.kind !== "map" || fits(member)));
}

function only(type: Type, value: Type | undefined): boolean {
  return (
    (type.kind === "string" || type.kind === "number") &&
    type.values?.length === 1 &&
    value?.kind === type.kind &&
    type.values[0] === value.values?.[0]
  );
}
