/** Plan data → a flow, with every complaint at once; undefined when there is an error. */
import type { Json } from "../core/json.ts";
import { Cursor, type JsonMap, shown } from "./cursor.ts";
import type { Places } from "./fence.ts";
import type { Findings, Place } from "./finding.ts";
import type { Flow } from "./flow.ts";
import { Names, Unknowns } from "./names.ts";
import { readRetry, readWords } from "./parse-modifiers.ts";
import { type PlanContext, readBlock } from "./parse-step.ts";
import { readConstant } from "./parse-value.ts";
import { spotsOf } from "./spots.ts";

export const fileKeys = [
  "onex",
  "kind",
  "name",
  "version",
  "description",
  "labels",
  "input",
  "config",
  "signals",
  "values",
  "timeout",
  "concurrency",
  "defaults",
  "onFailure",
  "steps",
  "output",
] as const;

export function parsePlan(data: Json, findings: Findings, places?: Places): Flow | undefined {
  const file = Cursor.root(data, findings, places);
  if (!file.isMap) return file.wrong(`a contract is a map that begins with "onex: v1", not ${shown(data)}`);
  file.only("a contract", fileKeys);
  readHead(file);
  const signals = readSignals(file.get("signals"));
  const context: PlanContext = { unknowns: new Unknowns(), signals: new Set(signals.schemas.keys()), order: 0 };
  const scope = Names.binding(undefined, ["input", "values", "run", ...(file.has("config") ? ["config"] : [])]);
  const steps = file.get("steps");
  if (!steps) file.wrong("a contract needs `steps`");
  const body = steps && readBlock(steps, file.get("output"), scope, context, true);
  context.unknowns.tell(findings);
  const flow = readRest(file);
  if (!body || findings.failed) return undefined;
  return {
    ...flow,
    body,
    signals: signals.schemas,
    at: spotsOf(file),
    places: {
      file: file.place,
      input: file.get("input")?.place ?? file.place,
      config: file.get("config")?.place ?? file.place,
      signals: signals.places,
    },
  };
}

function readHead(file: Cursor): void {
  const onex = file.get("onex");
  if (!onex) file.wrong('the first line of a contract is "onex: v1"');
  else if (onex.value !== "v1") onex.wrong(`this version of onex reads "onex: v1", not ${shown(onex.value)}`);
  const kind = file.get("kind");
  if (!kind) file.wrong('a contract says "kind: workflow"');
  else if (kind.value !== "workflow") kind.wrong(`kind is workflow, not ${shown(kind.value)}`);
  const name = file.get("name");
  if (!name) file.wrong("a contract needs a `name`, in kebab-case");
  else if (typeof name.value !== "string" || !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name.value))
    name.wrong(`name is kebab-case, such as "load-files", not ${shown(name.value)}`);
  const version = file.get("version");
  if (!version) file.wrong("a contract needs a `version`, such as 1.0.0");
  else if (typeof version.value === "number") version.wrong(`version is the number ${version.value}; write all three parts, as in "1.0.0"`);
  else if (typeof version.value !== "string" || !/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(version.value))
    version.wrong(`version has three numbers, as in "1.0.0", not ${shown(version.value)}`);
}

function readRest(file: Cursor): Omit<Flow, "at" | "body" | "signals" | "places"> {
  const defaults = file.get("defaults");
  if (defaults?.map("defaults")) defaults.only("defaults", ["timeout", "retry"]);
  const retry = defaults?.get("retry");
  const timeout = file.get("timeout")?.duration("timeout");
  if (!file.has("timeout"))
    file.warn(
      "TIMEOUT_MISSING",
      "the run has no timeout: one that hangs is never ended; write `timeout: 1d` or what fits",
      file.get("name")?.keyPlace ?? file.place,
    );
  const values = file.get("values");
  return {
    name: textOf(file.get("name")),
    version: textOf(file.get("version")),
    description: file.get("description")?.text("description"),
    labels: readWords(file.get("labels"), "labels") ?? [],
    input: readSchema(file.get("input"), "input"),
    config: readSchema(file.get("config"), "config"),
    values: values?.map("values") ? (readConstant(values, "values") as JsonMap) : {},
    timeout,
    concurrency: file.get("concurrency")?.whole("concurrency", 1, 10_000),
    defaults: { timeout: defaults?.get("timeout")?.duration("timeout"), retry: retry && readRetry(retry) },
    onFailure: file.get("onFailure")?.choice("onFailure", ["compensate", "stop"]),
  };
}

/** What is no text has been complained of. */
function textOf(cursor: Cursor | undefined): string {
  return typeof cursor?.value === "string" ? cursor.value : "";
}

function readSignals(cursor: Cursor | undefined): {
  readonly schemas: ReadonlyMap<string, Json>;
  readonly places: ReadonlyMap<string, Place>;
} {
  const schemas = new Map<string, Json>();
  const places = new Map<string, Place>();
  if (cursor?.map("signals"))
    for (const entry of cursor.entries()) {
      const schema = readSchema(entry, `the signal "${entry.name}"`);
      schemas.set(String(entry.name), schema ?? true);
      places.set(String(entry.name), entry.place);
    }
  return { schemas, places };
}

function readSchema(cursor: Cursor | undefined, what: string): Json | undefined {
  if (!cursor) return undefined;
  if (cursor.isMap || typeof cursor.value === "boolean") return cursor.value;
  return cursor.wrong(`${what} is a JSON Schema or { $ref: ./file.json }, not ${shown(cursor.value)}`);
}
