/** What is moved: the tables of a file, and how a row of each stands in the database. */
import { encodeText } from "../postgres/text.ts";
import type { Row, Value } from "../sqlite/driver.ts";

export type Kind = "text" | "bigint" | "integer" | "boolean";

export interface Column {
  readonly name: string;
  readonly kind: Kind;
  /** Its value as the database keeps it; default: as it is. */
  readonly to?: (value: string) => string;
}

export interface Table {
  readonly name: string;
  /** By what the file is read in order: a rowid, or a text that no two rows have in common. */
  readonly cursor: "rowid" | "id";
  readonly columns: readonly Column[];
  /** The columns that may be long, for the size of a chunk. */
  readonly long: readonly string[];
  /** Seen by others as soon as it is there, so it waits in a table of the promotion; else it belongs to a run, and goes to its place. */
  readonly staged: boolean;
  /** What no two rows have in common. */
  readonly key: readonly string[];
}

/** PostgreSQL takes no NUL and UTF-8 alone. */
const text = (name: string): Column => ({ name, kind: "text", to: encodeText });
/** JSON, which needs no more. */
const json = (name: string): Column => ({ name, kind: "text" });
const number = (name: string): Column => ({ name, kind: "bigint" });
const integer = (name: string): Column => ({ name, kind: "integer" });

export const runs: Table = {
  name: "runs",
  cursor: "rowid",
  columns: [
    ...[text("id"), text("workflow"), text("version"), text("digest"), text("status"), text("blocked"), number("priority")],
    ...[number("created_at"), number("ended_at"), number("wake_at"), integer("mail_put"), integer("mail_got"), text("parent")],
    ...[number("queued_at"), text("concurrency"), text("rate"), number("admitted_at"), text("origin")],
  ],
  long: [],
  staged: true,
  key: ["run_no"],
};

/** Each row belongs to a run: its `run_no` comes first, and is another one in the database. */
export const parts: readonly Table[] = [
  {
    name: "turns",
    cursor: "rowid",
    columns: [
      ...[integer("turn"), number("epoch"), integer("pos"), integer("next"), number("at")],
      { name: "final", kind: "boolean" },
      json("facts"),
    ],
    long: ["facts"],
    staged: false,
    key: ["turn"],
  },
  {
    name: "inbox",
    cursor: "rowid",
    columns: [integer("seq"), text("message_id"), text("kind"), text("body")],
    long: ["body"],
    staged: false,
    key: ["seq"],
  },
  { name: "blobs", cursor: "rowid", columns: [text("hash"), text("text")], long: ["text"], staged: false, key: ["hash"] },
];

/** The rest. */
export const others: readonly Table[] = [
  {
    name: "states",
    cursor: "rowid",
    // The file keeps the key as JSON.
    columns: [text("reducer"), { name: "key", kind: "text", to: (key) => encodeText(JSON.parse(key) as string) }, json("state")],
    long: ["state"],
    staged: true,
    key: ["reducer", "key"],
  },
  { name: "definitions", cursor: "rowid", columns: [text("hash"), text("text")], long: ["text"], staged: true, key: ["hash"] },
  {
    name: "schedules",
    cursor: "rowid",
    columns: [text("id"), text("revision"), number("next_at"), text("spec"), text("state")],
    long: ["spec", "state"],
    staged: true,
    key: ["id"],
  },
  {
    name: "pruned",
    cursor: "id",
    columns: [
      ...[text("id"), text("workflow"), text("version"), text("digest"), text("status"), number("priority")],
      ...[number("created_at"), number("ended_at"), text("parent")],
    ],
    long: [],
    staged: true,
    key: ["id"],
  },
];

/** The values of a row as the database keeps them. */
export function valuesOf(table: Table, row: Row): (string | number | null)[] {
  return table.columns.map(({ name, to }) => {
    const value = row[name] as Value;
    return typeof value === "string" && to ? to(value) : value;
  });
}

const between = "\u001f";
const nothing = "\u001e";

/** A row as a text that both sides can make, for their digests. */
export function textOf(values: readonly (string | number | null)[]): string {
  return values.map((value) => (value === null ? nothing : String(value))).join(between);
}

/** The same, in SQL. */
export function textIn(table: Table, alias: string): string {
  return table.columns
    .map(({ name, kind }) => `coalesce(${alias}.${name}${kind === "boolean" ? "::int" : ""}::text, U&'\\001e')`)
    .join(" || U&'\\001f' || ");
}
