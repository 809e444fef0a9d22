/**
 * A parsed expression → a function. The library parses (the grammar, its limits, positions); what the nodes mean is ours,
 * because over JSON there is one kind of number, patterns must be linear, and work must be counted
 * (the library's own evaluation has bigints, backtracking patterns and no budget).
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { didYouMean } from "../suggest.ts";
import { functions, methods, pattern } from "./functions.ts";
import { access, contains, equal, operate } from "./operators.ts";
import { type Evaluation, failed, isList, isMap, kindOf, type Value } from "./value.ts";

export type Code = (evaluation: Evaluation) => Value;

/** A mistake that is seen before anything runs; `offset` into the expression. */
export class CelMistake extends Error {
  readonly code: string;
  readonly offset: number;
  constructor(code: string, offset: number, message: string) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

export interface Compiled {
  readonly run: Code;
  /** Names from outside, with the offset where each first stands. */
  readonly names: ReadonlyMap<string, number>;
  /** Whether a result may hold moments or spans, which are not JSON. */
  readonly timed: boolean;
}

export function compile(ast: ASTNode): Compiled {
  const compiler = new Compiler();
  return { run: compiler.node(ast, new Map()), names: compiler.names, timed: compiler.timed };
}

/** Names of macro variables → their slots. */
type Locals = ReadonlyMap<string, number>;

class Compiler {
  readonly names = new Map<string, number>();
  timed = false;
  #slots = 0;

  node(ast: ASTNode, locals: Locals): Code {
    switch (ast.op) {
      case "value":
        return constant(ast.args, ast.start);
      case "id":
        return this.#name(ast.args, ast.start, locals);
      case ".": {
        const [of, key] = ast.args;
        const value = this.node(of, locals);
        const shown = () => source(of);
        return (e) => access(value(e), key, shown);
      }
      case "[]": {
        const [of, at] = ast.args;
        const value = this.node(of, locals);
        const key = this.node(at, locals);
        const shown = () => source(of);
        return (e) => access(value(e), key(e), shown);
      }
      case "list": {
        const items = ast.args.map((item) => this.node(item, locals));
        return (e) => items.map((item) => item(e));
      }
      case "map":
        return this.#map(ast.args, locals);
      case "?:": {
        const [condition, yes, no] = ast.args;
        const test = bool(this.node(condition, locals), "the condition before ?");
        const then = this.node(yes, locals);
        const otherwise = this.node(no, locals);
        return (e) => (test(e) ? then(e) : otherwise(e));
      }
      case "||":
      case "&&": {
        const [left, right] = ast.args;
        return logical(this.node(left, locals), this.node(right, locals), ast.op === "||");
      }
      case "!_":
        return not(this.node(ast.args, locals));
      case "-_": {
        const value = this.node(ast.args, locals);
        return (e) => negate(value(e));
      }
      case "==":
      case "!=": {
        const [left, right] = this.#two(ast.args, locals);
        const wanted = ast.op === "==";
        return (e) => equal(left(e), right(e), e) === wanted;
      }
      case "in": {
        const [left, right] = this.#two(ast.args, locals);
        return (e) => contains(left(e), right(e), e);
      }
      case "+":
      case "-":
      case "*":
      case "/":
      case "%":
      case "<":
      case "<=":
      case ">":
      case ">=": {
        const [left, right] = this.#two(ast.args, locals);
        const operator = ast.op;
        return (e) => operate(operator, left(e), right(e), e);
      }
      case "call":
        return this.#call(ast.args[0], ast.args[1], ast, locals);
      case "rcall":
        return this.#method(ast.args[0], ast.args[1], ast.args[2], ast, locals);
      default:
        throw new CelMistake("EXPRESSION_INVALID", ast.start, `"${ast.op}" is not part of expressions here`);
    }
  }

  #two(args: readonly [ASTNode, ASTNode], locals: Locals): [Code, Code] {
    return [this.node(args[0], locals), this.node(args[1], locals)];
  }

  #name(name: string, offset: number, locals: Locals): Code {
    const slot = locals.get(name);
    if (slot !== undefined) return (e) => e.slots[slot] as Value;
    if (!this.names.has(name)) this.names.set(name, offset);
    return (e) => {
      const value = e.scope.get(name);
      if (value === undefined) throw failed(`there is no "${name}" here`);
      return value;
    };
  }

  #map(entries: readonly (readonly [ASTNode, ASTNode])[], locals: Locals): Code {
    const parts = entries.map(([key, value]) => [this.node(key, locals), this.node(value, locals)] as const);
    return (e) => {
      const map: Record<string, Value> = {};
      for (const [keyCode, valueCode] of parts) {
        const key = keyCode(e);
        if (typeof key !== "string") throw failed(`the keys of a map are strings, not ${kindOf(key)}`);
        if (key === "__proto__") throw failed('the key "__proto__" is not allowed');
        map[key] = valueCode(e);
      }
      return map;
    };
  }

  #call(name: string, args: readonly ASTNode[], ast: ASTNode, locals: Locals): Code {
    if (name === "has") return this.#has(args[0], ast, locals);
    const known = functions.get(name);
    if (!known) {
      const method = methods.has(name) ? ` It is called on a value: x.${name}(…).` : didYouMean(name, [...functions.keys(), "has"]);
      throw new CelMistake("EXPRESSION_INVALID", ast.start, `there is no function ${name}().${method}`);
    }
    count(name, known.args, args.length, ast);
    if (name === "timestamp" || name === "duration") this.timed = true;
    const codes = args.map((arg) => this.node(arg, locals));
    return (e) =>
      known.run(
        codes.map((code) => code(e)),
        e,
      );
  }

  #has(arg: ASTNode | undefined, ast: ASTNode, locals: Locals): Code {
    if (arg?.op !== ".") throw new CelMistake("EXPRESSION_INVALID", ast.start, "has() takes a path such as has(input.phone)");
    const [of, key] = arg.args;
    const value = this.node(of, locals);
    return (e) => {
      const map = value(e);
      return isMap(map) && Object.hasOwn(map, key);
    };
  }

  #method(name: string, receiver: ASTNode, args: readonly ASTNode[], ast: ASTNode, locals: Locals): Code {
    if (name === "bind" && receiver.op === "id" && receiver.args === "cel") return this.#bind(args, ast, locals);
    const value = this.node(receiver, locals);
    if (isMacro(name)) return this.#macro(name, value, args, ast, locals);
    const known = methods.get(name);
    if (!known) {
      const called = functions.has(name) ? ` It is called as ${name}(x).` : didYouMean(name, [...methods.keys(), ...macros]);
      throw new CelMistake("EXPRESSION_INVALID", ast.start, `there is no function .${name}().${called}`);
    }
    count(name, known.args, args.length, ast);
    const source = args[0];
    if (name === "matches" && source?.op === "value" && typeof source.args === "string") checkPattern(source.args, source.start);
    const codes = args.map((arg) => this.node(arg, locals));
    return (e) => known.run([value(e), ...codes.map((code) => code(e))], e);
  }

  #bind(args: readonly ASTNode[], ast: ASTNode, locals: Locals): Code {
    const [variable, bound, body] = args;
    if (variable?.op !== "id" || bound === undefined || body === undefined || args.length > 3)
      throw new CelMistake(
        "EXPRESSION_INVALID",
        ast.start,
        "cel.bind() takes a name, a value and an expression, as in cel.bind(n, size(xs), n * n)",
      );
    const slot = this.#slots++;
    const value = this.node(bound, locals);
    const code = this.node(body, with_(locals, variable.args, slot));
    return (e) => {
      e.slots[slot] = value(e);
      return code(e);
    };
  }

  #macro(name: Macro, list: Code, args: readonly ASTNode[], ast: ASTNode, locals: Locals): Code {
    const [variable, ...bodies] = args;
    if (variable?.op !== "id" || bodies.length === 0 || bodies.length > (name === "map" ? 2 : 1))
      throw new CelMistake("EXPRESSION_INVALID", ast.start, `.${name}() takes a variable and an expression, as in xs.${name}(x, x > 0)`);
    const slot = this.#slots++;
    const inner = with_(locals, variable.args, slot);
    const codes = bodies.map((body) => this.node(body, inner));
    const last = codes[codes.length - 1] as Code;
    const test = bool(codes[0] as Code, `the condition of .${name}()`);
    const items = (e: Evaluation): readonly Value[] => {
      const value = list(e);
      if (isList(value)) return value;
      if (isMap(value)) return Object.keys(value);
      throw failed(`.${name}() is called on a list or a map, not on ${kindOf(value)}`);
    };
    const over = (e: Evaluation, item: Value): void => {
      e.spend(1);
      e.slots[slot] = item;
    };
    switch (name) {
      case "map":
        return (e) => {
          const result: Value[] = [];
          for (const item of items(e)) {
            over(e, item);
            if (codes.length === 1 || test(e)) result.push(last(e));
          }
          return result;
        };
      case "filter":
        return (e) =>
          items(e).filter((item) => {
            over(e, item);
            return test(e);
          });
      case "exists_one":
        return (e) => {
          let found = 0;
          for (const item of items(e)) {
            over(e, item);
            if (test(e)) found++;
          }
          return found === 1;
        };
      default:
        return (e) => {
          const holds = (item: Value): boolean => {
            over(e, item);
            return test(e);
          };
          return quantified(items(e), holds, name === "exists");
        };
    }
  }
}

const macros = ["all", "exists", "exists_one", "map", "filter"] as const;
type Macro = (typeof macros)[number];
function isMacro(name: string): name is Macro {
  return (macros as readonly string[]).includes(name);
}

/** Like || and &&: an item that decides wins over one that fails. */
function quantified(items: readonly Value[], test: (item: Value) => boolean, deciding: boolean): boolean {
  let error: unknown;
  for (const item of items) {
    try {
      if (test(item) === deciding) return deciding;
    } catch (thrown) {
      if (isLimit(thrown)) throw thrown;
      error ??= thrown;
    }
  }
  if (error !== undefined) throw error;
  return !deciding;
}

/** CEL: a side that decides wins, even over a side that fails. */
function logical(left: Code, right: Code, deciding: boolean): Code {
  const word = deciding ? "||" : "&&";
  const a = bool(left, `the left side of ${word}`);
  const b = bool(right, `the right side of ${word}`);
  return (e) => {
    let first: boolean;
    try {
      first = a(e);
    } catch (error) {
      if (isLimit(error)) throw error;
      if (b(e) === deciding) return deciding;
      throw error;
    }
    return first === deciding ? deciding : b(e);
  };
}

function isLimit(error: unknown): boolean {
  return (error as { code?: unknown }).code === "EXPRESSION_LIMIT";
}

function bool(code: Code, what: string): (evaluation: Evaluation) => boolean {
  return (e) => {
    const value = code(e);
    if (typeof value !== "boolean") throw failed(`${what} must be true or false, and it is ${kindOf(value)}`);
    return value;
  };
}

function not(code: Code): Code {
  const value = bool(code, "what follows !");
  return (e) => !value(e);
}

function negate(value: Value): Value {
  if (typeof value !== "number") throw failed(`- takes a number, not ${kindOf(value)}`);
  return value === 0 ? 0 : -value;
}

function constant(literal: unknown, offset: number): Code {
  const value = typeof literal === "bigint" ? number(literal, offset) : literal;
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean") return () => value;
  if (value instanceof Uint8Array) throw new CelMistake("EXPRESSION_INVALID", offset, "bytes have no JSON form; write text");
  const unsigned = number((literal as { valueOf(): bigint }).valueOf(), offset);
  return () => unsigned;
}

function number(literal: bigint, offset: number): number {
  const value = Number(literal);
  if (!Number.isSafeInteger(value))
    throw new CelMistake("NUMBER_TOO_LARGE", offset, `${literal} is beyond 2^53, where JSON numbers lose digits; use text`);
  return value;
}

function checkPattern(source: string, offset: number): void {
  try {
    pattern(source);
  } catch (error) {
    throw new CelMistake("EXPRESSION_INVALID", offset, error instanceof Error ? error.message : String(error));
  }
}

function count(name: string, [least, most]: readonly [number, number], given: number, ast: ASTNode): void {
  if (given >= least && given <= most) return;
  const wanted = least === most ? `${least}` : `${least} to ${most}`;
  throw new CelMistake("EXPRESSION_INVALID", ast.start, `${name}() takes ${wanted} argument${most === 1 ? "" : "s"}, not ${given}`);
}

function with_(locals: Locals, name: string, slot: number): Locals {
  return new Map(locals).set(name, slot);
}

/** The text of a node. */
export function source(ast: ASTNode): string {
  return ast.input.slice(ast.start, ast.end);
}
