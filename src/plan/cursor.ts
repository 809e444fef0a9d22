/** A walk over plan data that always knows where it stands, so that every complaint has a place. */
import { type Duration, durationMs } from "../core/duration.ts";
import type { Json } from "../core/json.ts";
import type { Places } from "./fence.ts";
import { type Findings, nowhere, type Place } from "./finding.ts";
import { didYouMean, oneOf } from "./suggest.ts";

export type JsonMap = { readonly [key: string]: Json };

export class Cursor {
  readonly value: Json;
  readonly findings: Findings;
  readonly #places: Places | undefined;
  readonly #container: object | undefined;
  readonly #parent: Cursor | undefined;
  readonly name: string | number;

  private constructor(
    value: Json,
    findings: Findings,
    places: Places | undefined,
    parent: Cursor | undefined,
    container: object | undefined,
    name: string | number,
  ) {
    this.value = value;
    this.findings = findings;
    this.#places = places;
    this.#parent = parent;
    this.#container = container;
    this.name = name;
  }

  /** `places` is undefined for a plan that is not text. */
  static root(value: Json, findings: Findings, places: Places | undefined): Cursor {
    return new Cursor(value, findings, places, undefined, undefined, "");
  }

  /** Where the value stands; for an entry of a map, `keyPlace` is where its key stands. */
  get place(): Place {
    if (!this.#places) return nowhere;
    return (this.#container && this.#places.value(this.#container, this.name)) ?? { line: 1, column: 1 };
  }
  get keyPlace(): Place {
    if (!this.#places) return nowhere;
    return (this.#container && this.#places.key(this.#container, this.name)) ?? { line: 1, column: 1 };
  }
  /** `steps.price.with`. */
  get path(): string {
    if (!this.#parent) return "";
    const before = this.#parent.path;
    return before === "" ? String(this.name) : `${before}.${this.name}`;
  }

  /** Where something inside this text stands: `part` was found about `near` characters into its value. */
  placeOf(part: string, near: number): (offset: number) => Place {
    const places = this.#places;
    if (!places) return () => nowhere;
    return (offset) => {
      const source = this.#container && places.source(this.#container, this.name);
      const start = source ? source.text.indexOf(part, near) : -1;
      return source && start >= 0 ? places.at(source.offset + start + offset) : this.place;
    };
  }

  get isMap(): boolean {
    return typeof this.value === "object" && this.value !== null && !Array.isArray(this.value);
  }
  has(key: string): boolean {
    return this.isMap && Object.hasOwn(this.value as JsonMap, key);
  }
  get(key: string): Cursor | undefined {
    return this.has(key) ? this.#child((this.value as JsonMap)[key] as Json, key) : undefined;
  }
  keys(): string[] {
    return this.isMap ? Object.keys(this.value as JsonMap) : [];
  }
  entries(): Cursor[] {
    return this.keys().map((key) => this.#child((this.value as JsonMap)[key] as Json, key));
  }
  items(): Cursor[] {
    return Array.isArray(this.value) ? (this.value as readonly Json[]).map((item, i) => this.#child(item, i)) : [];
  }
  #child(value: Json, name: string | number): Cursor {
    return new Cursor(value, this.findings, this.#places, this, this.value as object, name);
  }

  error(code: string, message: string, at: Place = this.place): void {
    this.findings.error(code, at, this.#places ? message : this.#named(message));
  }
  warn(code: string, message: string, at: Place = this.place): void {
    this.findings.warn(code, at, this.#places ? message : this.#named(message));
  }
  /** A plan without text has no lines: the path says where. */
  #named(message: string): string {
    return this.path === "" ? message : `${this.path}: ${message}`;
  }

  wrong(message: string): undefined {
    this.error("PLAN_INVALID", message);
    return undefined;
  }

  // ── what a value should be ──

  text(what: string): string | undefined {
    if (typeof this.value === "string") return this.value;
    return this.wrong(`${what} must be text, and this is ${shown(this.value)}${typeof this.value === "number" ? "; quote it" : ""}`);
  }
  choice<const C extends string>(what: string, choices: readonly C[]): C | undefined {
    if (choices.includes(this.value as C)) return this.value as C;
    const hint = typeof this.value === "string" ? didYouMean(this.value, choices) : "";
    return this.wrong(`${what} is ${oneOf(choices)}, not ${shown(this.value)}.${hint}`);
  }
  flag(what: string): boolean | undefined {
    return typeof this.value === "boolean" ? this.value : this.wrong(`${what} is true or false, not ${shown(this.value)}`);
  }
  whole(what: string, least: number, most: number): number | undefined {
    if (Number.isInteger(this.value) && (this.value as number) >= least && (this.value as number) <= most) return this.value as number;
    return this.wrong(`${what} is a whole number from ${least} to ${most}, not ${shown(this.value)}`);
  }
  duration(what: string): Duration | undefined {
    if (typeof this.value === "number") return this.wrong(`${what} has no unit; write "${this.value}s" or another of ms, s, m, h, d`);
    if (typeof this.value !== "string") return this.wrong(`${what} is a duration such as "30s", not ${shown(this.value)}`);
    try {
      durationMs(this.value);
      return this.value as Duration;
    } catch {
      return this.wrong(`${what} is a duration such as "30s", "5m" or "2d", not ${shown(this.value)}`);
    }
  }
  /** Complains unless it is a map. */
  map(what: string): boolean {
    if (this.isMap) return true;
    this.wrong(`${what} is a map, not ${shown(this.value)}`);
    return false;
  }
  list(what: string): boolean {
    if (Array.isArray(this.value)) return true;
    this.wrong(`${what} is a list, not ${shown(this.value)}`);
    return false;
  }
  /** Complains about keys that are not known. */
  only(what: string, known: readonly string[]): void {
    for (const child of this.entries())
      if (!known.includes(String(child.name)))
        child.error(
          "PLAN_INVALID",
          `${what} has no "${child.name}".${didYouMean(String(child.name), known) || ` It may have ${oneOf(known)}.`}`,
          child.keyPlace,
        );
  }
}

/** A value in a sentence. */
export function shown(value: Json): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : String(value);
}
