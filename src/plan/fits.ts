/** Whether what a step gives fits what a node takes, entry by entry, so that a complaint stands at the very entry. */
import type { CallCheck } from "./bind.ts";
import type { Findings, Place } from "./finding.ts";
import { didYouMean, nearest } from "./suggest.ts";
import type { Template } from "./template.ts";
import { isNullable, type MapType, members, nonNull, overlap, show, skippedBy, type Type, typeOfValue, union } from "./types.ts";

export class Fitting {
  readonly #findings: Findings;
  readonly #call: CallCheck;
  readonly #typeOf: (template: Template) => Type;
  /** `typeOf` answers for every template below the one that is checked. */
  constructor(findings: Findings, call: CallCheck, typeOf: (template: Template) => Type) {
    this.#findings = findings;
    this.#call = call;
    this.#typeOf = typeOf;
  }

  /** `path` is where in the input this stands: `order.lines[0]`, empty for the whole. */
  check(template: Template, wanted: Type, path = ""): void {
    const type = this.#type(template);
    if (members(wanted).some((member) => member.kind === "any")) return;
    const entries = entriesOf(template);
    const maps = members(wanted).filter((member) => member.kind === "map");
    if (entries && maps.length > 0) {
      const [map, other] = this.#variants(entries, maps);
      if (map && !other) this.#entries(template, entries, map, path);
      else if (!map) this.#noVariant(template, entries, maps, wanted, path);
      else if (!overlap(type, wanted)) this.#whole(template, type, wanted, path);
      return;
    }
    const items = itemsOf(template);
    const lists = members(wanted).filter((member) => member.kind === "list");
    const [list] = lists;
    if (items && list && lists.length === 1) {
      items.forEach((item, i) => {
        this.check(item, list.item, `${path}[${i}]`);
      });
      return;
    }
    this.#whole(template, type, wanted, path);
  }

  /** The maps whose choices (`kind: "card"`) are those that stand here. */
  #variants(entries: readonly Entry[], maps: readonly MapType[]): readonly MapType[] {
    if (maps.length === 1) return maps;
    return maps.filter((map) =>
      entries.every(({ key, value }) => {
        const field = map.fields.get(key)?.type;
        return field === undefined || !isChoice(field) || overlap(this.#type(value), field);
      }),
    );
  }

  /** Where one field chooses the variant, the complaint is about it. */
  #noVariant(template: Template, entries: readonly Entry[], maps: readonly MapType[], wanted: Type, path: string): void {
    const chosen = entries.find(({ key, value }) => {
      const types = maps.map((map) => map.fields.get(key)?.type);
      return types.every((type) => type !== undefined && isChoice(type) && !overlap(this.#type(value), type));
    });
    if (chosen)
      this.check(
        chosen.value,
        union(maps.flatMap((map) => map.fields.get(chosen.key)?.type ?? [])),
        path === "" ? chosen.key : `${path}.${chosen.key}`,
      );
    else this.#whole(template, this.#type(template), wanted, path);
  }

  #type(template: Template): Type {
    return template.kind === "constant" ? typeOfValue(template.value) : this.#typeOf(template);
  }

  #entries(template: Template, entries: readonly Entry[], map: MapType, path: string): void {
    const below = (key: string): string => (path === "" ? key : `${path}.${key}`);
    for (const { key, value } of entries) {
      const field = map.fields.get(key)?.type ?? map.rest;
      if (field) this.check(value, field, below(key));
    }
    const { name, place } = this.#call;
    const given = entries.map(({ key }) => key);
    const missing = [...map.fields].filter(([key, field]) => !field.optional && !given.includes(key));
    const extra = map.closed && !map.rest ? entries.filter(({ key }) => !map.fields.has(key)) : [];
    for (const { key, at } of extra)
      this.#findings.error(
        "INPUT_MISMATCH",
        at ?? place,
        `${name} takes no "${below(key)}".${didYouMean(key, map.fields.keys()) || (map.fields.size === 0 ? "" : ` It takes ${[...map.fields.keys()].slice(0, 20).join(", ")}.`)}`,
      );
    for (const [key, field] of missing) {
      const slip = given.find((other) => !map.fields.has(other) && nearest(other, [key]) !== undefined);
      this.#findings.error(
        "INPUT_MISMATCH",
        path === "" ? place : placeOf(template, place),
        `${name} takes "${below(key)}" (${show(field.type)}), and \`with\` has none${slip === undefined || extra.some((other) => other.key === slip) ? "" : `; is "${slip}" meant to be it?`}`,
      );
    }
  }

  #whole(template: Template, type: Type, wanted: Type, path: string): void {
    const { name, place } = this.#call;
    const what = path === "" ? "its input" : `"${path}"`;
    if (type.kind !== "never" && !overlap(type, wanted)) {
      const maps = members(wanted).filter((member) => member.kind === "map");
      const detail = type.kind === "map" && maps.length === 1 && maps[0] ? misses(type, maps[0], "") : "";
      this.#findings.error(
        "INPUT_MISMATCH",
        placeOf(template, place),
        `${name} takes ${show(wanted)} as ${what}, and this is ${show(type)}${detail}`,
      );
      return;
    }
    const weak = weakness(type, wanted, path, 0);
    if (weak) this.#findings.warn(weak.code, placeOf(template, place), `${name} takes ${weak.message}`);
  }
}

function isChoice(type: Type): boolean {
  return type.kind === "string" && type.values?.length === 1;
}

interface Entry {
  readonly key: string;
  readonly value: Template;
  /** Where the key stands. */
  readonly at: Place | undefined;
}

/** The entries of a map that is written out. */
function entriesOf(template: Template): readonly Entry[] | undefined {
  const { at } = template;
  if (template.kind === "map") return template.entries.map(([key, value]) => ({ key, value, at: at?.get(key)?.keyPlace }));
  if (template.kind !== "constant" || !at?.isMap) return undefined;
  return at.entries().map((entry) => ({
    key: String(entry.name),
    value: { kind: "constant", value: entry.value, at: entry },
    at: entry.keyPlace,
  }));
}

function itemsOf(template: Template): readonly Template[] | undefined {
  if (template.kind === "list") return template.items;
  if (template.kind !== "constant" || !Array.isArray(template.value)) return undefined;
  return template.at?.items().map((item) => ({ kind: "constant", value: item.value, at: item }));
}

/** Where what a template gives is written. */
export function placeOf(template: Template, otherwise: Place): Place {
  if (template.kind === "hole") return template.expression.start;
  return template.at?.place ?? otherwise;
}

interface Weakness {
  readonly code: string;
  /** Goes on after "NODE takes". */
  readonly message: string;
}

/** What makes a value that mostly fits fail at times: it is null, or a part of it is null or absent. */
function weakness(type: Type, wanted: Type, path: string, depth: number): Weakness | undefined {
  if (depth > 6 || members(wanted).some((member) => member.kind === "any")) return undefined;
  const what = path === "" ? "its input" : `"${path}"`;
  const takes = `${show(wanted)} as ${what}`;
  const bare = nonNull(type);
  if (isNullable(type) && bare.kind !== "never" && !isNullable(wanted)) {
    const step = skippedBy(type);
    if (step !== undefined)
      return {
        code: "REFERENCE_MAYBE_SKIPPED",
        message: `${takes}, and this is null when the step "${step}" is skipped or has failed; give that step a default, or this one a when`,
      };
    if (!members(bare).some((member) => member.kind === "any"))
      return { code: "REFERENCE_MAYBE_NULL", message: `${takes}, and this may be null; guard it, as in \`x != null ? x : …\`` };
  }
  const target = nonNull(wanted);
  if (bare.kind === "list" && target.kind === "list") return weakness(bare.item, target.item, `${path}[]`, depth + 1);
  if (bare.kind !== "map" || target.kind !== "map") return undefined;
  for (const [key, field] of target.fields) {
    const given = bare.fields.get(key);
    if (!given) continue;
    const below = path === "" ? key : `${path}.${key}`;
    if (given.optional && !given.unsaid && !field.optional)
      return {
        code: "REFERENCE_MAYBE_ABSENT",
        message: `"${below}" (${show(field.type)}), and this may have none; let its schema require it, or write the map out with a \`has(…) ? … : …\``,
      };
    const inner = weakness(given.type, field.type, below, depth + 1);
    if (inner) return inner;
  }
  return undefined;
}

/** The first thing that keeps one map from being another. */
function misses(given: MapType, wanted: MapType, before: string): string {
  for (const [key, field] of wanted.fields) {
    const has = given.fields.get(key);
    const name = `${before}${key}`;
    if (!has && !field.optional && given.closed) return `, without "${name}"`;
    if (!has || overlap(has.type, field.type)) continue;
    if (has.type.kind === "map" && field.type.kind === "map") return misses(has.type, field.type, `${name}.`);
    return `, whose "${name}" is ${show(has.type)} and not ${show(field.type)}`;
  }
  for (const [key, field] of given.fields)
    if (wanted.closed && !wanted.fields.has(key) && !field.optional) return `, with "${before}${key}", which it does not take`;
  return "";
}
