/**
 * What is known once a condition has held: which paths are not null, and which conditions are true. Facts are texts:
 * `answer` (is not null) and `=risk.high` (this condition is true).
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { source } from "./cel/compile.ts";

export type Facts = ReadonlySet<string>;
export const noFacts: Facts = new Set();

/** `a.b.c` of a chain of names; undefined for anything else. */
export function pathOf(ast: ASTNode): string | undefined {
  if (ast.op === "id") return ast.args;
  if (ast.op === ".") {
    const before = pathOf(ast.args[0]);
    return before === undefined ? undefined : `${before}.${ast.args[1]}`;
  }
  if (ast.op === "[]" && ast.args[1].op === "value" && typeof ast.args[1].args === "string") {
    const before = pathOf(ast.args[0]);
    return before === undefined ? undefined : `${before}.${ast.args[1].args}`;
  }
  return undefined;
}

/** The conditions that all hold when the whole one does, in a form that is equal for equal conditions. */
export function conditions(ast: ASTNode): string[] {
  if (ast.op === "&&") return ast.args.flatMap(conditions);
  return [`=${source(ast).replaceAll(/\s+/g, "")}`];
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
    case "==":
    case "!=":
      return [...(truth ? conditions(ast) : []), ...equality(ast.args[0], ast.args[1], (ast.op === "==") === truth)];
    case "call":
      return truth && ast.args[0] === "has" ? [...conditions(ast), ...read(ast.args[1][0])] : truth ? conditions(ast) : [];
    default:
      return [...(truth ? conditions(ast) : []), ...read(ast)];
  }
}

/** `x == y` or its contrary: beside a literal, what is compared is null or is not. */
function equality(a: ASTNode, b: ASTNode, equal: boolean): string[] {
  const facts = [...read(a), ...read(b)];
  for (const [path, other] of [
    [pathOf(a), b],
    [pathOf(b), a],
  ] as const)
    if (path !== undefined && other.op === "value" && (other.args === null) !== equal) facts.push(path);
  return facts;
}

/** To read `a.b.c`, `a` and `a.b` must have been there. */
function read(ast: ASTNode | undefined): string[] {
  if (ast === undefined) return [];
  if (ast.op === "<" || ast.op === "<=" || ast.op === ">" || ast.op === ">=" || ast.op === "in") return ast.args.flatMap(read);
  const path = pathOf(ast);
  if (path === undefined) return [];
  const parts = path.split(".");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("."));
}

export function together(facts: Facts, more: readonly string[]): Facts {
  return more.length === 0 ? facts : new Set([...facts, ...more]);
}
