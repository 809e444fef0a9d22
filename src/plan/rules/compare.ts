/** What one condition says about another, where both are plain: `input.weight > 30` implies `input.weight > 10`. */
import type { ASTNode } from "@marcbachmann/cel-js";
import { source } from "../cel/compile.ts";
import { pathOf } from "../narrow.ts";

/** A part of a condition that must hold: a comparison of a path with a literal where it is one, else only its text. */
export interface Part {
  readonly text: string;
  readonly compared: Comparison | undefined;
}
interface Comparison {
  /** What is compared: expressions are pure, so equal texts have equal values. */
  readonly path: string;
  readonly op: "<" | "<=" | ">" | ">=" | "==" | "!=";
  readonly value: number | string | boolean | null;
}

const mirrored = { "<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!=" } as const;
const contrary = { "<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "==" } as const;

/** The parts that all hold when the whole condition does. */
export function partsOf(ast: ASTNode): Part[] {
  if (ast.op === "&&") return ast.args.flatMap(partsOf);
  return [{ text: bare(ast), compared: comparisonOf(ast, true) }];
}

/** What holds when the condition does not; undefined where that is not one plain part. */
export function contraryOf(ast: ASTNode): Part | undefined {
  if (ast.op === "&&" || ast.op === "||") return undefined;
  const compared = comparisonOf(ast, false);
  return { text: ast.op === "!_" ? bare(ast.args) : `!${bare(ast)}`, compared };
}

/** Whether `b` holds wherever `a` does. */
export function implies(a: Part, b: Part): boolean {
  if (a.text === b.text) return true;
  const [x, y] = [a.compared, b.compared];
  if (!x || !y || x.path !== y.path) return false;
  if (x.op === "==") return holds(x.value, y);
  if (x.op === y.op && x.value === y.value) return true;
  if (typeof x.value !== "number" || typeof y.value !== "number") return false;
  if (y.op === "!=") return !holds(y.value, x);
  // Both must bound the same side; a bound that lets its own value in does not imply one that keeps the same value out.
  const up = x.op === ">" || x.op === ">=";
  if (x.op === "!=" || y.op === "==" || up !== (y.op === ">" || y.op === ">=")) return false;
  const looser = up ? x.value - y.value : y.value - x.value;
  return looser > 0 || (looser === 0 && (x.op === ">" || x.op === "<" || y.op === x.op));
}

/** Whether both never hold at once. */
export function excludes(a: Part, b: Part): boolean {
  if (a.text === `!${b.text}` || b.text === `!${a.text}`) return true;
  const { compared: x } = a;
  const { compared: y } = b;
  if (!x || !y || x.path !== y.path) return false;
  // `a` excludes `b` where it implies the contrary of `b`.
  return implies(a, { text: "", compared: { ...y, op: contrary[y.op] } });
}

function comparisonOf(ast: ASTNode, truth: boolean): Comparison | undefined {
  if (ast.op === "!_") return comparisonOf(ast.args, !truth);
  const path = placeOf(ast);
  if (path !== undefined) return { path, op: "==", value: truth };
  if (ast.op !== "<" && ast.op !== "<=" && ast.op !== ">" && ast.op !== ">=" && ast.op !== "==" && ast.op !== "!=") return undefined;
  const [left, right] = ast.args;
  const op = truth ? ast.op : contrary[ast.op];
  const [ofLeft, ofRight] = [literalOf(left), literalOf(right)];
  if (ofLeft === undefined && ofRight !== undefined) return { path: placeOf(left) ?? bare(left), op, value: ofRight };
  if (ofLeft !== undefined && ofRight === undefined) return { path: placeOf(right) ?? bare(right), op: mirrored[op], value: ofLeft };
  return undefined;
}

/** The name of a place such as `input.weight`; undefined for what is computed. */
function placeOf(ast: ASTNode): string | undefined {
  return ast.op === "id" || ast.op === "." || ast.op === "[]" ? pathOf(ast) : undefined;
}

function literalOf(ast: ASTNode): Comparison["value"] | undefined {
  if (ast.op === "-_") {
    const value = literalOf(ast.args);
    return typeof value === "number" ? -value : undefined;
  }
  if (ast.op !== "value") return undefined;
  const value: unknown = ast.args;
  if (typeof value === "bigint") return Number(value);
  return value === null || typeof value === "number" || typeof value === "string" || typeof value === "boolean" ? value : undefined;
}

function holds(value: Comparison["value"], { op, value: other }: Comparison): boolean {
  if (op === "==") return value === other;
  if (op === "!=") return value !== other;
  if (typeof value !== "number" || typeof other !== "number") return false;
  return op === "<" ? value < other : op === "<=" ? value <= other : op === ">" ? value > other : value >= other;
}

function bare(ast: ASTNode): string {
  return source(ast).replaceAll(/\s+/g, "");
}
