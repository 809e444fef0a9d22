/** A flow as a node: what a YAML contract becomes, no different from a workflow in code. */
import { createHash } from "node:crypto";
import type { RunDefaults } from "../core/defaults.ts";
import { OnexError } from "../core/failure.ts";
import { onlyFields, shown } from "../core/fields.ts";
import { type Json, toJson } from "../core/json.ts";
import { type CallOptions, type Check, Op, type Steps } from "../core/operation.ts";
import { decoders, type NodeSource, type RunContext, type WorkflowContract } from "../node/contract.ts";
import { check, type Schema } from "../node/schema.ts";
import type { Workflow } from "../node/workflow.ts";
import { checkFlow } from "./check.ts";
import type { Fenced, Places } from "./fence.ts";
import { contractInvalid, Findings } from "./finding.ts";
import type { Flow } from "./flow.ts";
import { interpret } from "./interpret.ts";
import { anything, type JsonSchemaOf, Schemas } from "./json-schema.ts";
import { fenceAny, isOnex, translate } from "./onex/contract.ts";
import { checkFingerprint } from "./onex/fingerprint.ts";
import { type Mode, modes } from "./onex/model.ts";
import { withOtherNames } from "./onex/nodes.ts";
import { rememberFlow } from "./outputs.ts";
import { parsePlan } from "./parse.ts";
import type { Plan } from "./plan.ts";
import { noFiles, type ReadRef, SchemaFiles } from "./schema-files.ts";
import { oneOf } from "./suggest.ts";

export interface PlanOptions {
  /** Values of the contract's `config`; its schema's defaults fill in what is missing. */
  readonly config?: Json;
  /** Of an ONEX contract: counts before the mode that it says itself. A run is pinned to it. */
  readonly executionMode?: Mode;
}

/** A plan that was read: its flow, its schemas, and what there is to say about it. */
export interface Read {
  readonly flow: Flow;
  readonly input: JsonSchemaOf | undefined;
  readonly configSchema: JsonSchemaOf | undefined;
  readonly signals: ReadonlyMap<string, JsonSchemaOf>;
  /** Texts of referenced schemas, by path. */
  readonly texts: ReadonlyMap<string, string>;
  /** Of an ONEX contract: the plan that was made of it, as JSON. */
  readonly plan?: string;
}

/** A plan built in code becomes a workflow. Throws OnexError `CONTRACT_INVALID` with every complaint. */
export function planWorkflow(plan: Plan, options: PlanOptions = {}): Workflow<Json, Json> {
  checkPlanOptions(options);
  const name = `plan ${plan.name}`;
  const data = toJson(plan, name);
  const findings = new Findings(name);
  const read = readData(data, findings, undefined, noFiles);
  return build(refused(read, findings), name, JSON.stringify(data), options, "plan");
}

/** The text of a contract becomes a workflow. Throws OnexError `CONTRACT_INVALID` with every complaint. */
export function parseWorkflow(text: string, file: string, readRef: ReadRef = noFiles, options: PlanOptions = {}): Workflow<Json, Json> {
  checkPlanOptions(options);
  const findings = new Findings(file);
  const read = refused(readText(text, findings, readRef, options.executionMode), findings);
  if (options.executionMode !== undefined && read.plan === undefined)
    throw new OnexError(
      "OPTION_INVALID",
      `executionMode is for ONEX contracts, and ${file} is none: its steps say themselves what they wait for`,
    );
  return build(read, file, read.plan ?? text, options, read.plan === undefined ? "text" : "onex");
}

/** Throws OnexError `OPTION_INVALID`. */
function checkPlanOptions(options: PlanOptions): void {
  onlyFields("OPTION_INVALID", "the options of a contract", options, ["config", "executionMode"]);
  const { executionMode } = options;
  if (executionMode !== undefined && !modes.includes(executionMode))
    throw new OnexError("OPTION_INVALID", `executionMode is ${shown(executionMode)}: give ${oneOf(modes)}`);
}

function refused(read: Read | undefined, findings: Findings): Read {
  findings.refuse();
  if (!read) throw contractInvalid(findings.file, findings.sorted());
  return read;
}

/** Every finding about a contract, without its nodes. */
export function readText(text: string, findings: Findings, readRef: ReadRef, mode?: Mode): Read | undefined {
  const fenced = fenceAny(text, findings, readRef);
  return fenced && readFenced(fenced, findings, readRef, mode);
}

/** The same, of text that has been read. */
export function readFenced(fenced: Fenced, findings: Findings, readRef: ReadRef, mode?: Mode): Read | undefined {
  if (!isOnex(fenced.data)) return readData(fenced.data, findings, fenced.places, readRef);
  checkFingerprint(fenced, findings, sha256);
  const made = translate(fenced.data, findings, fenced.places, mode);
  return made && readData(made.plan, findings, made.places, noFiles, JSON.stringify(made.plan));
}

function readData(data: Json, findings: Findings, places: Places | undefined, readRef: ReadRef, plan?: string): Read | undefined {
  const parts = readParts(data, findings, places, readRef);
  if (!parts) return undefined;
  const read: Read = plan === undefined ? parts : { ...parts, plan };
  checkFlow(read, undefined, findings);
  return read;
}

/** What it says, without a word about what it means. */
function readParts(data: Json, findings: Findings, places: Places | undefined, readRef: ReadRef): Read | undefined {
  const flow = parsePlan(data, findings, places);
  if (!flow) return undefined;
  const files = new SchemaFiles(readRef, findings);
  const schemas = new Schemas(files, findings);
  const input = flow.input === undefined ? undefined : schemas.make(flow.input, "input", flow.places.input);
  const configSchema = flow.config === undefined ? undefined : schemas.make(flow.config, "config", flow.places.config);
  const signals = new Map<string, JsonSchemaOf>();
  for (const [name, schema] of flow.signals) {
    const made = schemas.make(schema, `the signal "${name}"`, flow.places.signals.get(name) ?? flow.places.file);
    if (made) signals.set(name, made);
  }
  if (findings.failed) return undefined;
  return { flow, input, configSchema, signals, texts: files.texts };
}

/** The configuration that the expressions read; a contract can be checked without one, but not run. */
export function configOf({ flow, configSchema: schema }: Read, options: PlanOptions, findings: Findings): Json {
  if (!schema) {
    if (options.config !== undefined)
      findings.error("CONFIG_INVALID", flow.places.file, "the contract declares no `config`, and some was given");
    return null;
  }
  const verdict = check(schema, options.config ?? {}, "config");
  if (verdict.problem === undefined) return verdict.value as Json;
  findings.error("CONFIG_INVALID", flow.places.config, `config: ${verdict.problem}`);
  return null;
}

/** A workflow from its stored definition: what a run is pinned to, whatever its file says today. Throws OnexError `CONTRACT_INVALID`. */
export function restoreWorkflow(stored: string): Workflow<Json, Json> {
  const definition = JSON.parse(stored) as Definition;
  const { file, text, config, data, onex } = definition;
  const source = onex ? "onex" : data ? "plan" : "text";
  return build(reread(definition), file, text, config === undefined ? {} : { config }, source);
}

/** The flow of a stored definition, for those who look at it without running it. Throws OnexError `CONTRACT_INVALID`. */
export function restoreFlow(stored: string): Flow {
  return reread(JSON.parse(stored) as Definition).flow;
}

/** It was checked when it was stored: what a check has learnt to say since then keeps no run from going on. */
function reread({ file, text, schemas, data }: Definition): Read {
  const findings = new Findings(file);
  const readRef: ReadRef = (path) => schemas[path];
  const fenced = data ? { data: JSON.parse(text) as Json, places: undefined } : fenceAny(text, findings, readRef);
  return refused(fenced && readParts(fenced.data, findings, fenced.places, readRef), findings);
}

interface Definition {
  readonly file: string;
  readonly text: string;
  readonly schemas: Readonly<Record<string, string>>;
  readonly config?: Json;
  /** The text is a plan as data, not YAML. */
  readonly data: boolean;
  /** The plan was made of an ONEX contract; the plan is what a run is pinned to. */
  readonly onex?: boolean;
}
type Source = "text" | "plan" | "onex";

function build(read: Read, file: string, text: string, options: PlanOptions, source: Source): Workflow<Json, Json> {
  const { flow } = read;
  const problems = new Findings(file);
  const config = configOf(read, options, problems);
  problems.refuse();
  const input: Schema = read.input ?? anything;
  const checks = new Map<string, Check>();
  for (const [name, schema] of read.signals) checks.set(name, (payload) => check(schema, payload, `signal ${name}`) as ReturnType<Check>);
  const signal = (name: string): Check => {
    const found = checks.get(name);
    if (!found) throw new OnexError("SIGNAL_UNDECLARED", `the signal "${name}" is not declared: write it under \`signals\` of ${file}`);
    return found;
  };
  const decoding = decoders("workflow", flow.name, input, undefined);
  const known = (nodes: NodeSource): NodeSource => (source === "onex" ? withOtherNames(nodes) : nodes);
  const run = (given: Json, context: RunContext, nodes: NodeSource, defaults?: RunDefaults): Steps<Json> =>
    interpret(flow, decoding.decodeInput(given) as Json, config, context, known(nodes), signal, defaults);
  const contract: WorkflowContract = {
    kind: "workflow",
    name: flow.name,
    version: flow.version,
    input,
    output: undefined,
    timeout: flow.timeout,
    onFailure: flow.onFailure,
    plan: {
      file,
      text,
      hash: hashOf(text, read.texts, options.config),
      get definition() {
        const definition: Definition = {
          file,
          text,
          schemas: Object.fromEntries(read.texts),
          data: source !== "text",
          ...(source === "onex" ? { onex: true } : {}),
          ...(options.config === undefined ? {} : { config: options.config }),
        };
        return JSON.stringify(definition);
      },
      bind(nodes) {
        const findings = new Findings(file);
        checkFlow(read, known(nodes), findings);
        findings.refuse();
      },
      signal: (name) => checks.get(name),
    },
    begin: run,
    ...decoding,
  };
  rememberFlow(contract, read);
  const node = (given: Json, callOptions: CallOptions = {}) =>
    new Op<Json>({ kind: "call", callee: contract, input: given, options: callOptions });
  return Object.assign(node, { contract, run });
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What a run is pinned to: the text, the schemas that it refers to, the configuration. */
function hashOf(text: string, texts: ReadonlyMap<string, string>, config: Json | undefined): string {
  const hash = createHash("sha256").update(text);
  for (const path of [...texts.keys()].sort()) hash.update(`\0${path}\0${texts.get(path)}`);
  if (config !== undefined) hash.update(`\0config\0${JSON.stringify(config)}`);
  return hash.digest("hex");
}
