/** The functions of expressions: those of CEL that make sense over JSON. Patterns run on a linear engine. */
import { RE2JS } from "re2js";
import { moment, tooLarge } from "./operators.ts";
import { type Evaluation, failed, isList, isMap, kindOf, Span, spanText, type Value } from "./value.ts";

export interface CelFunction {
  /** Fewest and most arguments, the receiver not counted. */
  readonly args: readonly [number, number];
  readonly run: (args: readonly Value[], evaluation: Evaluation) => Value;
}

/** `name(…)`. */
export const functions: ReadonlyMap<string, CelFunction> = new Map(
  Object.entries({
    size: fn(1, 1, ([value], evaluation) => size(value as Value, evaluation)),
    string: fn(1, 1, ([value]) => text(value as Value)),
    int: fn(1, 1, ([value]) => whole(value as Value)),
    uint: fn(1, 1, ([value]) => unsigned(value as Value)),
    double: fn(1, 1, ([value]) => double(value as Value)),
    bool: fn(1, 1, ([value]) => bool(value as Value)),
    dyn: fn(1, 1, ([value]) => value as Value),
    timestamp: fn(1, 1, ([value]) => timestamp(value as Value)),
    duration: fn(1, 1, ([value]) => span(value as Value)),
  }),
);

/** `value.name(…)`; the receiver is the first of `args` at run time. */
export const methods: ReadonlyMap<string, CelFunction> = new Map(
  Object.entries({
    size: fn(0, 0, ([value], evaluation) => size(value as Value, evaluation)),
    contains: onText(1, 1, (value, [part]) => value.includes(str(part, "contains"))),
    startsWith: onText(1, 1, (value, [part]) => value.startsWith(str(part, "startsWith"))),
    endsWith: onText(1, 1, (value, [part]) => value.endsWith(str(part, "endsWith"))),
    matches: onText(1, 1, (value, [pattern], evaluation) => matches(value, str(pattern, "matches"), evaluation)),
    lowerAscii: onText(0, 0, (value) => value.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())),
    upperAscii: onText(0, 0, (value) => value.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())),
    trim: onText(0, 0, (value) => value.trim()),
    indexOf: onText(1, 2, (value, [part, from]) => value.indexOf(str(part, "indexOf"), index(from ?? 0, value.length))),
    lastIndexOf: onText(1, 2, (value, [part, from]) =>
      value.lastIndexOf(str(part, "lastIndexOf"), from === undefined ? value.length : index(from, value.length)),
    ),
    substring: onText(1, 2, (value, [from, to]) => {
      const start = index(from as Value, value.length);
      const end = to === undefined ? value.length : index(to, value.length);
      if (end < start) throw failed(`substring(${start}, ${end}) ends before it begins`);
      return value.slice(start, end);
    }),
    split: onText(1, 2, (value, [separator, limit], evaluation) => split(value, str(separator, "split"), limit, evaluation)),
    join: fn(0, 1, ([list, separator], evaluation) => join(list as Value, separator ?? "", evaluation)),
    getFullYear: onTime((date) => date.getUTCFullYear()),
    getMonth: onTime((date) => date.getUTCMonth()),
    getDate: onTime((date) => date.getUTCDate()),
    getDayOfMonth: onTime((date) => date.getUTCDate() - 1),
    getDayOfWeek: onTime((date) => date.getUTCDay()),
    getDayOfYear: onTime((date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000)),
    getHours: onTime((date) => date.getUTCHours(), 3_600_000),
    getMinutes: onTime((date) => date.getUTCMinutes(), 60_000),
    getSeconds: onTime((date) => date.getUTCSeconds(), 1000),
    getMilliseconds: onTime((date) => date.getUTCMilliseconds(), 1),
  }),
);

function fn(least: number, most: number, run: CelFunction["run"]): CelFunction {
  return { args: [least, most], run };
}

function onText(
  least: number,
  most: number,
  run: (value: string, rest: readonly (Value | undefined)[], evaluation: Evaluation) => Value,
): CelFunction {
  return fn(least, most, ([value, ...rest], evaluation) => {
    if (typeof value !== "string") throw failed(`this function is called on a string, not on ${kindOf(value)}`);
    evaluation.spend(1 + value.length / 1000);
    return run(value, rest, evaluation);
  });
}

/** Time is read in UTC: a time zone would give other answers on other machines. */
function onTime(read: (date: Date) => number, spanUnit?: number): CelFunction {
  return fn(0, 0, ([value]) => {
    if (value instanceof Date) return read(value);
    if (value instanceof Span && spanUnit !== undefined) return Math.trunc(value.ms / spanUnit);
    throw failed(`this function is called on a timestamp, not on ${kindOf(value)}; write timestamp(…) around it`);
  });
}

function size(value: Value, evaluation: Evaluation): number {
  if (isList(value)) return value.length;
  if (isMap(value)) return Object.keys(value).length;
  if (typeof value !== "string") throw failed(`size() measures a list, a map or a string, not ${kindOf(value)}`);
  evaluation.spend(1 + value.length / 1000);
  let count = 0;
  for (const _ of value) count++;
  return count;
}

export function text(value: Value): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Span) return spanText(value);
  throw failed(`string() takes a scalar, not ${kindOf(value)}`);
}

function whole(value: Value): number {
  const number =
    value instanceof Date
      ? Math.floor(value.getTime() / 1000)
      : typeof value === "string" && /^[+-]?\d+$/.test(value)
        ? Number(value)
        : value;
  if (typeof number !== "number")
    throw failed(
      `int() takes a number or a whole number as text, not ${typeof value === "string" ? JSON.stringify(value) : kindOf(value)}`,
    );
  const result = Math.trunc(number);
  if (!Number.isSafeInteger(result)) throw tooLarge(String(value));
  return result === 0 ? 0 : result;
}

function unsigned(value: Value): number {
  const number = whole(value);
  if (number < 0) throw failed(`uint() takes no negative number, and ${number} is one`);
  return number;
}

function double(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value === "string" && value.trim() === value && value !== "") {
    const number = Number(value);
    if (Number.isFinite(number)) return number;
  }
  throw failed(`double() takes a number, or a number as text, not ${typeof value === "string" ? JSON.stringify(value) : kindOf(value)}`);
}

function bool(value: Value): boolean {
  if (typeof value === "boolean") return value;
  if (value === "true" || value === "True" || value === "TRUE" || value === "t" || value === "1") return true;
  if (value === "false" || value === "False" || value === "FALSE" || value === "f" || value === "0") return false;
  throw failed(`bool() takes "true" or "false", not ${typeof value === "string" ? JSON.stringify(value) : kindOf(value)}`);
}

const iso = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

/** A moment from ISO text or, as everywhere in onex, from milliseconds since 1970. */
export function timestamp(value: Value): Date {
  if (value instanceof Date) return value;
  if (typeof value === "number") return moment(value);
  const ms = typeof value === "string" && iso.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms))
    throw failed(
      `timestamp() takes ISO text such as "2026-01-31T12:00:00Z", or milliseconds since 1970, not ${typeof value === "string" ? JSON.stringify(value) : kindOf(value)}`,
    );
  return moment(ms);
}

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function span(value: Value): Span {
  if (value instanceof Span) return value;
  if (typeof value === "string" && /^-?(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h|d))+$/.test(value)) {
    let ms = 0;
    for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)/g))
      ms += Number(amount) * (unitMs[unit as string] ?? 0);
    return new Span(value.startsWith("-") ? -ms : ms);
  }
  throw failed(`duration() takes text such as "1h30m", not ${typeof value === "string" ? JSON.stringify(value) : kindOf(value)}`);
}

function index(value: Value, length: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > length)
    throw failed(`${typeof value === "number" ? value : kindOf(value)} is no position in a text of ${length} characters`);
  return value;
}

function str(value: Value | undefined, name: string): string {
  if (typeof value !== "string") throw failed(`${name}() takes a string, not ${kindOf(value)}`);
  return value;
}

function split(value: string, separator: string, limit: Value | undefined, evaluation: Evaluation): Value {
  const parts = value.split(separator);
  evaluation.spend(parts.length);
  if (limit === undefined) return parts;
  if (typeof limit !== "number") throw failed(`the limit of split() is a number, not ${kindOf(limit)}`);
  if (limit < 0 || parts.length <= limit) return parts;
  return limit === 0 ? [] : [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

function join(list: Value, separator: Value, evaluation: Evaluation): Value {
  if (!isList(list)) throw failed(`join() is called on a list, not on ${kindOf(list)}`);
  evaluation.spend(list.length);
  const parts = list.map((item) => str(item, "join"));
  evaluation.spend(parts.reduce((sum, part) => sum + part.length, 0) / 1000);
  return parts.join(str(separator, "join"));
}

const compiled = new Map<string, RE2JS>();

/** A pattern for the linear engine. Throws when it takes what that engine cannot do (backreferences, lookaround). */
export function pattern(source: string): RE2JS {
  let found = compiled.get(source);
  if (!found) {
    if (source.length > 1000) throw failed("a pattern has at most 1,000 characters");
    try {
      found = RE2JS.compile(source);
    } catch (error) {
      throw failed(
        `${JSON.stringify(source)} is not a pattern that runs in linear time (RE2 syntax: no lookaround, no backreferences): ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    if (compiled.size > 1000) compiled.clear();
    compiled.set(source, found);
  }
  return found;
}

function matches(value: string, source: string, evaluation: Evaluation): boolean {
  evaluation.spend(1 + value.length / 10);
  return pattern(source).matcher(value).find();
}
