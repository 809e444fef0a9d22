/** A node's workflow is written twice, as YAML and as code: where the two disagree on version, input, signals and configuration. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Json } from "../../core/json.ts";
import type { WorkflowContract } from "../../node/contract.ts";
import { Cursor } from "../../plan/cursor.ts";
import { fence } from "../../plan/fence.ts";
import { type Finding, Findings, type Place } from "../../plan/finding.ts";
import type { JsonSchemaOf } from "../../plan/json-schema.ts";
import { openContract } from "../../plan/load.ts";
import { isJsonMap } from "../../plan/parse-value.ts";
import { schemaUri } from "../../plan/schema-files.ts";
import { didYouMean, oneOf } from "../../plan/suggest.ts";
import type { Read } from "../../plan/workflow.ts";
import { contentsOf, shown } from "../load.ts";
import type { Manifest } from "../manifest.ts";
import { differences } from "./compare.ts";
import { describe, type Importer } from "./models.ts";
import { signalsOf } from "./signals.ts";

/** Differences that one sentence names. */
const namedAtOnce = 3;

export interface ContractDrift {
  readonly findings: readonly Finding[];
  /** The files that the contract refers to, by their names. */
  readonly refers: ReadonlySet<string>;
}

/** `drifted` are the names of subcontracts that are known to differ from their models: what comes from there is said once. */
export async function checkContract(
  file: string,
  manifest: Manifest,
  drifted: ReadonlySet<string>,
  importer: Importer,
): Promise<ContractDrift> {
  const { read } = await openContract(file);
  // What is wrong with the contract itself, its own check says.
  if (!read) return { findings: [], refers: refersIn(file) };
  const findings = new Findings(file);
  const at = rootOf(file);
  const twin = twinOf(
    contentsOf(await importer(manifest.entry)).nodes.map(({ contract }) => contract),
    read,
    at,
    manifest,
    findings,
  );
  if (twin) {
    inputs(read, twin, at, drifted, findings);
    await signals(read, twin, manifest, importer, findings);
  }
  return { findings: findings.sorted(), refers: new Set(read.texts.keys()) };
}

/** The workflow in code of the same name and version. */
function twinOf(
  contracts: readonly { readonly kind: string }[],
  { flow }: Read,
  at: Cursor | undefined,
  manifest: Manifest,
  findings: Findings,
): WorkflowContract | undefined {
  const inCode = contracts.filter(
    (contract): contract is WorkflowContract => contract.kind === "workflow" && (contract as WorkflowContract).plan === undefined,
  );
  const named = inCode.filter(({ name }) => name === flow.name);
  const place = (key: string): Place => at?.get(key)?.place ?? flow.places.file;
  const entry = shown(manifest.entry);
  if (named.length === 0) {
    const names = [...new Set(inCode.map(({ name }) => name))];
    // A workflow may be written in YAML alone.
    if (names.length > 0)
      findings.warn(
        "CONTRACT_DRIFT",
        place("name"),
        `${entry} exports no workflow "${flow.name}"; it has ${oneOf(names)}.${didYouMean(flow.name, names)} If it is written in YAML alone, nothing is wrong`,
      );
    return undefined;
  }
  const twin = named.find(({ version }) => version === flow.version);
  if (!twin)
    findings.error(
      "CONTRACT_DRIFT",
      place("version"),
      `version is "${flow.version}" here, and ${entry} has the workflow "${flow.name}" in ${oneOf(named.map(({ version }) => version))}: give both the same`,
    );
  return twin;
}

function inputs(read: Read, twin: WorkflowContract, at: Cursor | undefined, drifted: ReadonlySet<string>, findings: Findings): void {
  const described = describe(twin.input, "input");
  if (described.problem !== undefined) return;
  if (!read.input) {
    // A workflow that takes anything describes nothing more than the dialect.
    if (isJsonMap(described.json) && Object.keys(described.json).some((key) => key !== "$schema"))
      findings.error(
        "CONTRACT_DRIFT",
        read.flow.places.file,
        `the contract says no \`input\`, and the workflow "${twin.name}" in code has one`,
      );
    return;
  }
  schemas(
    "input",
    read.input,
    described.json,
    `the workflow "${twin.name}" in code`,
    read.flow.places.input,
    at?.get("input"),
    drifted,
    findings,
  );
}

async function signals(read: Read, twin: WorkflowContract, manifest: Manifest, importer: Importer, findings: Findings): Promise<void> {
  const inCode = await signalsOf(manifest.entry, twin.name, importer);
  if (!inCode) return;
  for (const [name, schema] of read.signals) {
    const place = read.flow.places.signals.get(name) ?? read.flow.places.file;
    const found = inCode.get(name);
    if (!found)
      findings.error(
        "CONTRACT_DRIFT",
        place,
        `the signal "${name}" is declared here, and the workflow "${twin.name}" in code waits for no signal of that name.${didYouMean(name, [...inCode.keys()])}`,
      );
    else if (found.payload) {
      const described = describe(found.payload, "input");
      if (described.problem === undefined)
        schemas(`signals.${name}`, schema, described.json, `the signal "${name}" in code`, place, undefined, new Set(), findings);
    }
  }
  for (const name of inCode.keys())
    if (!read.signals.has(name))
      findings.error(
        "CONTRACT_DRIFT",
        read.flow.places.file,
        `the workflow "${twin.name}" in code waits for the signal "${name}", which \`signals\` does not declare`,
      );
}

/** Says where two schemas differ: each difference in its line where the schema stands in the contract, else in one sentence. */
function schemas(
  what: string,
  mine: JsonSchemaOf,
  theirs: Json,
  says: string,
  place: Place,
  inline: Cursor | undefined,
  drifted: ReadonlySet<string>,
  findings: Findings,
): void {
  const referred = referredBy(mine);
  if (referred && drifted.has(referred.file)) return;
  if (!referred && inline) {
    for (const { place, text } of differences(inline, theirs, says)) findings.error("CONTRACT_DRIFT", place, text);
    return;
  }
  const found = differences(Cursor.root(referred ? referred.schema : mine.raw, findings, undefined), theirs, says).map(({ text }) =>
    text.replace(/^\./, ""),
  );
  if (found.length === 0) return;
  const more = found.length > namedAtOnce ? `; and ${found.length - namedAtOnce} more` : "";
  findings.error("CONTRACT_DRIFT", place, `\`${what}\` is not that of ${says}: ${found.slice(0, namedAtOnce).join("; ")}${more}`);
}

/** The schema that `{ $ref: ./FILE#/pointer }` means, when that is all there is. */
function referredBy({ raw, files }: JsonSchemaOf): { readonly file: string; readonly schema: Json } | undefined {
  if (!isJsonMap(raw) || typeof raw.$ref !== "string") return undefined;
  const [uri = "", pointer = ""] = raw.$ref.split("#");
  const file = [...files.keys()].find((path) => schemaUri(path) === uri);
  let schema = file === undefined ? undefined : files.get(file);
  for (const part of pointer.split("/").slice(1))
    schema = isJsonMap(schema) ? schema[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
  return file === undefined || schema === undefined ? undefined : { file: basename(file), schema };
}

function rootOf(file: string): Cursor | undefined {
  const findings = new Findings(file);
  const fenced = fence(readFileSync(file, "utf8"), findings);
  return fenced && Cursor.root(fenced.data, findings, fenced.places);
}

/** What the text of a contract that cannot be read refers to, as far as the text tells. */
function refersIn(file: string): ReadonlySet<string> {
  return new Set([...readFileSync(file, "utf8").matchAll(/\$ref:\s*["']?(?:\.\/)?([^\s"'#},]+)/g)].map(([, path = ""]) => path));
}
