/**
 * Text → safe data. Nothing of a YAML file reaches the rest of the program but through here.
 *
 * The parser is good but trusting: it can abort the process on deep nesting, is quadratic in keys, and only warns about
 * tags. So the text is measured first (bytes, tokens, depth, without recursion), then parsed with every convenience off,
 * then walked once: duplicates by a Set, forbidden keys, tags, aliases, the number of values.
 */
import type * as Yaml from "yaml";
import type { Document, Node, Pair, YAMLMap } from "yaml";
import type { Json } from "../core/json.ts";
import type { Findings, Place } from "./finding.ts";
import { lazily } from "./lazily.ts";

const yaml = lazily<typeof Yaml>("yaml");

export const limits = { bytes: 1024 * 1024, nodes: 20_000, tokens: 400_000, depth: 64, scalar: 256 * 1024, aliases: 100 } as const;
const forbidden: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Where the children of a map or list stand, and how the text of a scalar was written. */
export interface Places {
  /** Of the key (for a map) or the item. */
  key(container: object, key: string | number): Place | undefined;
  value(container: object, key: string | number): Place | undefined;
  /** The source of a scalar, from which an expression inside it can be placed. */
  source(container: object, key: string | number): { readonly text: string; readonly offset: number } | undefined;
  at(offset: number): Place;
}

export interface Fenced {
  /** Null-prototype maps, plain lists, scalars of JSON. */
  readonly data: Json;
  readonly places: Places;
}

/** What stands for `!include PATH`; undefined when it was refused. */
export type IncludeTag = (path: string, place: Place) => Json | undefined;

/** Reads one document; undefined when it was refused, with the reasons in `findings`. */
export function fence(text: string, findings: Findings, include?: IncludeTag): Fenced | undefined {
  if (!measure(text, findings)) return undefined;
  const document = yaml().parseDocument(text, {
    schema: "core",
    version: "1.2",
    merge: false,
    customTags: [],
    uniqueKeys: false,
    // Silent, it would also pass over a second document.
    logLevel: "error",
    prettyErrors: false,
  });
  const at = placesIn(text);
  for (const error of document.errors.slice(0, 20)) findings.error("YAML_INVALID", at(error.pos[0]), sentence(error.code, error.message));
  if (document.errors.length > 0) return undefined;
  const walk = new Walk(text, document, findings, at, include);
  const data = walk.read();
  return findings.failed ? undefined : { data, places: walk };
}

/** Offset → place. The parser's own counter knows only the lines that it came to, and its errors may lie beyond. */
function placesIn(text: string): (offset: number) => Place {
  const starts = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
  return (offset) => {
    const within = Math.min(Math.max(offset, 0), text.length);
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= within) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: within - (starts[low] ?? 0) + 1 };
  };
}

/** Bytes, tokens and depth, before the parser sees the text. */
function measure(text: string, findings: Findings): boolean {
  const refuse = (place: Place, message: string): false => {
    findings.error("YAML_TOO_LARGE", place, message);
    return false;
  };
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.bytes)
    return refuse({ line: 1, column: 1 }, `the file has ${bytes} bytes; a contract has at most ${limits.bytes} (1 MiB)`);
  let tokens = 0;
  let flow = 0;
  let line = 1;
  let column = 0;
  /** Whether what comes next may open a block collection: it is first in its line, or follows a dash. */
  let fresh = true;
  /** Columns of the open block collections. */
  const indents: number[] = [];
  for (const token of new (yaml().Lexer)().lex(text)) {
    if (++tokens > limits.tokens) return refuse({ line, column: 1 }, `the file has more than ${limits.tokens} tokens; split the contract`);
    if (token === "\x02" || token === "\x1f" || token === "\x18") continue;
    const blank = token.trim() === "";
    if (!blank && flow === 0 && fresh && token[0] !== "#") {
      while ((indents[indents.length - 1] ?? -1) > column) indents.pop();
      if ((indents[indents.length - 1] ?? -1) < column) indents.push(column);
      fresh = token === "-" || token === "?";
    }
    if (token === "[" || token === "{") flow++;
    else if (token === "]" || token === "}") flow = Math.max(0, flow - 1);
    if (flow + indents.length > limits.depth)
      return refuse(
        { line, column: 1 },
        `values are nested more than ${limits.depth} deep here; move inner steps into a workflow of their own`,
      );
    const last = token.lastIndexOf("\n");
    if (last < 0) column += token.length;
    else {
      for (let i = token.indexOf("\n"); i >= 0; i = token.indexOf("\n", i + 1)) line++;
      column = token.length - last - 1;
      fresh = true;
    }
  }
  return true;
}

function sentence(code: string, message: string): string {
  if (code === "TAB_AS_INDENT") return "a tab is used as indentation; YAML takes spaces only";
  if (code === "MULTIPLE_DOCS") return "a second document begins here (---), and only the first would be read; give it a file of its own";
  return `this is not YAML: ${(message.split("\n")[0] ?? message).trim().replace(/[.:]$/, "")}`;
}

interface Child {
  readonly key: number;
  readonly value: number;
  readonly end: number;
}

class Walk implements Places {
  readonly #text: string;
  readonly #document: Document;
  readonly #findings: Findings;
  readonly at: (offset: number) => Place;
  readonly #children = new WeakMap<object, Map<string | number, Child>>();
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<unknown>();
  #nodes = 0;
  #aliases = 0;
  #full = false;
  readonly #include: IncludeTag | undefined;

  constructor(text: string, document: Document, findings: Findings, at: (offset: number) => Place, include: IncludeTag | undefined) {
    this.#include = include;
    this.#text = text;
    this.#document = document;
    this.#findings = findings;
    this.at = at;
  }

  read(): Json {
    return this.#node(this.#document.contents as Node | null, 0);
  }

  key(container: object, key: string | number): Place | undefined {
    const child = this.#children.get(container)?.get(key);
    return child && this.at(child.key);
  }
  value(container: object, key: string | number): Place | undefined {
    const child = this.#children.get(container)?.get(key);
    return child && this.at(child.value);
  }
  source(container: object, key: string | number): { readonly text: string; readonly offset: number } | undefined {
    const child = this.#children.get(container)?.get(key);
    return child && { text: this.#text.slice(child.value, child.end), offset: child.value };
  }

  #node(node: Node | null, depth: number): Json {
    if (this.#full) return null;
    if (node === null) return null;
    if (++this.#nodes > limits.nodes) {
      this.#full = true;
      this.#error(
        "YAML_TOO_LARGE",
        node,
        `the file has more than ${limits.nodes} values (aliases counted as what they stand for); build so large a graph as a plan in code`,
      );
      return null;
    }
    if (depth > limits.depth) {
      this.#error(
        "YAML_TOO_LARGE",
        node,
        `values are nested more than ${limits.depth} deep here; move inner steps into a workflow of their own`,
      );
      return null;
    }
    if (yaml().isAlias(node)) return this.#alias(node.source, node, depth);
    if (node.tag === "!include" && this.#include && yaml().isScalar(node)) return this.#included(String(node.value), node, this.#include);
    if (node.tag !== undefined && !this.#tagged(node)) return null;
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (yaml().isMap(node)) return this.#map(node, depth);
    if (yaml().isSeq(node)) {
      const list: Json[] = [];
      const children = new Map<string | number, Child>();
      this.#children.set(list, children);
      this.#open.add(node);
      for (const item of node.items as (Node | null)[]) {
        const range = rangeOf(item, node);
        children.set(list.length, { key: range[0], value: range[0], end: range[1] });
        list.push(this.#node(item, depth + 1));
        if (this.#full) break;
      }
      this.#open.delete(node);
      return list;
    }
    return yaml().isScalar(node) ? this.#scalar(node.value, node) : null;
  }

  /** Everything in it stands where the tag does. */
  #included(path: string, node: Node, include: IncludeTag): Json {
    const range = rangeOf(node, node);
    const place = (value: Json): void => {
      if (typeof value !== "object" || value === null) return;
      const here: Child = { key: range[0], value: range[0], end: range[0] };
      const keys: (string | number)[] = Array.isArray(value) ? value.map((_, i) => i) : Object.keys(value);
      this.#nodes += keys.length;
      this.#children.set(value, new Map(keys.map((key) => [key, here])));
      for (const child of Object.values(value)) place(child as Json);
    };
    const data = include(path, this.at(range[0])) ?? null;
    place(data);
    if (this.#nodes > limits.nodes) this.#error("YAML_TOO_LARGE", node, `with this file the contract has more than ${limits.nodes} values`);
    return data;
  }

  #map(node: YAMLMap, depth: number): Json {
    const map = Object.create(null) as Record<string, Json>;
    const children = new Map<string | number, Child>();
    this.#children.set(map, children);
    this.#open.add(node);
    for (const pair of node.items as Pair<unknown, Node | null>[]) {
      const key = this.#key(pair.key, node);
      if (key === undefined) continue;
      const keyNode = pair.key as Node;
      const first = children.get(key);
      if (first !== undefined) {
        this.#error(
          "YAML_INVALID",
          keyNode,
          `the key "${clip(key)}" stands here a second time; the first is in line ${this.at(first.key).line}`,
        );
        continue;
      }
      const keyRange = rangeOf(keyNode, node);
      const range = pair.value === null ? keyRange : rangeOf(pair.value, keyNode);
      children.set(key, { key: keyRange[0], value: range[0], end: range[1] });
      map[key] = this.#node(pair.value, depth + 1);
      if (this.#full) break;
    }
    this.#open.delete(node);
    return map;
  }

  #key(key: unknown, map: YAMLMap): string | undefined {
    if (!yaml().isScalar(key)) {
      this.#error("YAML_INVALID", (key as Node | null) ?? map, "a key must be plain text; quote it if it begins with [, {, * or &");
      return undefined;
    }
    if (key.tag !== undefined && !this.#tagged(key)) return undefined;
    const text = key.value === null ? "null" : String(key.value);
    if (key.source === "<<" && key.type === "PLAIN") {
      this.#error("YAML_INVALID", key, "merge keys (<<) are not part of YAML 1.2; write the keys out");
      return undefined;
    }
    if (forbidden.has(text)) {
      this.#error("YAML_INVALID", key, `the key "${text}" is not allowed; take another name`);
      return undefined;
    }
    if (text.length > 1024) {
      this.#error("YAML_TOO_LARGE", key, `this key has ${text.length} characters; a key has at most 1024`);
      return undefined;
    }
    return text;
  }

  #scalar(value: unknown, node: Node): Json {
    if (typeof value === "string") {
      if (value.length > limits.scalar) {
        this.#error(
          "YAML_TOO_LARGE",
          node,
          `this text has ${value.length} characters; a value has at most ${limits.scalar}: hand large data in as input`,
        );
        return null;
      }
      return value;
    }
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "number" || typeof value === "bigint") {
      if (!Number.isFinite(Number(value))) {
        this.#error("YAML_INVALID", node, `${String(value)} has no JSON form; write null or a quoted text`);
        return null;
      }
      if (Number.isInteger(Number(value)) && !Number.isSafeInteger(Number(value))) {
        this.#error("NUMBER_TOO_LARGE", node, "a whole number beyond 2^53 loses digits in JSON; quote it as text");
        return null;
      }
      return Number(value);
    }
    this.#error("YAML_INVALID", node, "this value has no JSON form; quote it");
    return null;
  }

  /** Core tags are allowed where the value is what they say; any other one is most likely an unquoted `!`. */
  #tagged(node: Node): boolean {
    const tag = String(node.tag);
    if (/^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/.test(tag)) return true;
    const shown = tag.startsWith("tag:yaml.org,2002:") ? `!!${tag.slice(18)}` : tag;
    // The range of a node begins after its tag.
    const start = node.range?.[0] ?? 0;
    const at = this.#text.lastIndexOf(shown, start);
    this.#findings.error(
      "YAML_INVALID",
      this.at(at < 0 ? start : at),
      `${clip(shown)} is read as a YAML tag; a value that begins with ! must be quoted, as in "${clip(shown)}"`,
    );
    return false;
  }

  #alias(name: string, node: Node, depth: number): Json {
    const target = this.#anchors.get(name);
    if (++this.#aliases > limits.aliases) {
      if (this.#aliases === limits.aliases + 1)
        this.#error("YAML_TOO_LARGE", node, `the file has more than ${limits.aliases} aliases; write the values out`);
      return null;
    }
    if (target === undefined) {
      this.#error("YAML_INVALID", node, `there is no anchor &${name} above this alias; a value that begins with * must be quoted`);
      return null;
    }
    if (this.#open.has(target)) {
      this.#error("YAML_INVALID", node, `the alias *${name} stands inside the value that it names`);
      return null;
    }
    return this.#node(target, depth);
  }

  #error(code: string, node: Node, message: string): void {
    this.#findings.error(code, this.at(node.range?.[0] ?? 0), message);
  }
}

function rangeOf(node: Node | null, otherwise: Node): readonly [number, number] {
  const range = node?.range ?? otherwise.range;
  return range ? [range[0], range[1]] : [0, 0];
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
