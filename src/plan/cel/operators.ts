/** What the operators of an expression mean over JSON. */
import { OnexError } from "../../core/failure.ts";
import { type Evaluation, failed, isList, isMap, kindOf, maxText, Span, type Value } from "./value.ts";

export type Operator = "+" | "-" | "*" | "/" | "%" | "<" | "<=" | ">" | ">=";

export function operate(operator: Operator, a: Value, b: Value, evaluation: Evaluation): Value {
  if (typeof a === "number" && typeof b === "number") return numbers(operator, a, b);
  if (operator === "+") return add(a, b, evaluation);
  if (operator === "-") return subtract(a, b);
  if (operator === "*" || operator === "/" || operator === "%") throw noOperator(operator, a, b);
  const left = ordered(a);
  const right = ordered(b);
  if (left === undefined || right === undefined || typeof left !== typeof right || kindOf(a) !== kindOf(b))
    throw noOperator(operator, a, b);
  return compare(operator, left, right);
}

function numbers(operator: Operator, a: number, b: number): Value {
  switch (operator) {
    case "+":
      return exact(a + b, a, b);
    case "-":
      return exact(a - b, a, b);
    case "*":
      return exact(a * b, a, b);
    case "/":
      if (b === 0) throw failed("division by zero");
      return exact(a / b, a, b);
    case "%":
      if (b === 0) throw failed("modulo by zero");
      return exact(a % b, a, b);
    default:
      return compare(operator, a, b);
  }
}

/** JSON numbers are exact for whole numbers up to 2^53: past that a sum is silently wrong, so it is refused. */
function exact(result: number, a: number, b: number): number {
  const lost = Number.isInteger(result) && !Number.isSafeInteger(result) && Number.isInteger(a) && Number.isInteger(b);
  if (lost || !Number.isFinite(result)) throw tooLarge(String(result));
  return result === 0 ? 0 : result;
}

export function tooLarge(shown: string): OnexError {
  return new OnexError("NUMBER_TOO_LARGE", `${shown} is beyond 2^53, where JSON numbers lose digits; use text`);
}

function compare(operator: Operator, a: string | number, b: string | number): boolean {
  switch (operator) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    default:
      return a >= b;
  }
}

function ordered(value: Value): string | number | undefined {
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Date) return value.getTime();
  return value instanceof Span ? value.ms : undefined;
}

function add(a: Value, b: Value, evaluation: Evaluation): Value {
  if (typeof a === "string" && typeof b === "string") {
    const length = a.length + b.length;
    if (length > maxText)
      throw new OnexError(
        "EXPRESSION_LIMIT",
        `the text would have ${length} characters; an expression builds at most ${maxText}; do it in a compute node`,
      );
    evaluation.spend(1 + length / 1000);
    return a + b;
  }
  if (isList(a) && isList(b)) {
    evaluation.spend(a.length + b.length);
    return [...a, ...b];
  }
  if (a instanceof Span && b instanceof Span) return new Span(a.ms + b.ms);
  if (a instanceof Date && b instanceof Span) return moment(a.getTime() + b.ms);
  if (a instanceof Span && b instanceof Date) return moment(a.ms + b.getTime());
  throw noOperator("+", a, b);
}

function subtract(a: Value, b: Value): Value {
  if (a instanceof Span && b instanceof Span) return new Span(a.ms - b.ms);
  if (a instanceof Date && b instanceof Span) return moment(a.getTime() - b.ms);
  if (a instanceof Date && b instanceof Date) return new Span(a.getTime() - b.getTime());
  throw noOperator("-", a, b);
}

export function moment(ms: number): Date {
  if (!(ms >= -62_135_596_800_000 && ms <= 253_402_300_799_999)) throw failed("the moment lies outside the years 1 to 9999");
  return new Date(ms);
}

function noOperator(operator: Operator, a: Value, b: Value): OnexError {
  const text = operator === "+" && (typeof a === "string" || typeof b === "string") && (typeof a === "number" || typeof b === "number");
  return failed(`${operator} does not join ${kindOf(a)} and ${kindOf(b)}${text ? "; write string(…) around the number" : ""}`);
}

/** Deep equality; values of different kinds are never equal. */
export function equal(a: Value, b: Value, evaluation: Evaluation): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a instanceof Span) return b instanceof Span && a.ms === b.ms;
  if (isList(a)) {
    if (!isList(b) || a.length !== b.length) return false;
    evaluation.spend(a.length);
    return a.every((item, i) => equal(item, b[i] as Value, evaluation));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = Object.keys(a);
  evaluation.spend(keys.length);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(a[key] as Value, b[key] as Value, evaluation))
  );
}

export function contains(item: Value, all: Value, evaluation: Evaluation): boolean {
  if (isList(all)) {
    evaluation.spend(all.length);
    return all.some((other) => equal(item, other, evaluation));
  }
  if (isMap(all)) {
    if (typeof item !== "string") throw failed(`the keys of a map are strings, not ${kindOf(item)}`);
    return Object.hasOwn(all, item);
  }
  throw failed(`"in" looks into a list or a map, not into ${kindOf(all)}`);
}

/** `x[key]`, `x.key`. `shown` is the text of x. */
export function access(value: Value, key: Value, shown: () => string): Value {
  if (isMap(value)) {
    if (typeof key !== "string") throw failed(`the keys of a map are strings, not ${kindOf(key)}`);
    if (!Object.hasOwn(value, key)) throw failed(`${shown()} has no "${key}"; guard it with has(${shown()}.${key})`);
    return value[key] as Value;
  }
  if (isList(value)) {
    if (typeof key !== "number" || !Number.isInteger(key))
      throw failed(`a list is indexed by a whole number, not by ${typeof key === "string" ? `"${key}"` : String(key)}`);
    if (key < 0 || key >= value.length) throw failed(`${shown()} has ${value.length} items, none at index ${key}`);
    return value[key] as Value;
  }
  if (value === null) throw failed(`${shown()} is null (was its step skipped?); guard it with ${shown()} != null`);
  throw failed(`${shown()} is ${kindOf(value)} and has no "${String(key)}"`);
}
