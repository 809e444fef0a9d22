/** The user's code: YAML workflows and modules, with the nodes and services that they export. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { EndpointRegistry, Endpoints } from "../engine/client/endpoints.ts";
import type { AnyNode } from "../node/contract.ts";
import type { Provided } from "../node/service.ts";
import type { Workflow } from "../node/workflow.ts";
import { didYouMean, oneOf } from "../plan/suggest.ts";
import { type Manifest, manifestIn, manifestOf, manifestsUnder } from "./manifest.ts";
import { Places } from "./places.ts";
import { registerHooks } from "./typescript.ts";

export type AnyWorkflow = Workflow<Json, unknown>;

export interface Loaded {
  /** All that was found, of files and of `--nodes`. */
  readonly nodes: readonly AnyNode[];
  /** What the files export, or are. */
  readonly workflows: readonly AnyWorkflow[];
  readonly provide: readonly Provided[];
  /** Values that a module says are secret: `export const secrets = [process.env.API_KEY]`. */
  readonly secrets: readonly string[];
  /** Where nodes live that are elsewhere: `export const endpoints = { "charge-card": "http://…/nodes" }`. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** Of a node with a manifest: its export `config`, the configuration of the orchestrator that runs it. */
  readonly config: object | undefined;
}
interface Module {
  readonly nodes: readonly AnyNode[];
  readonly provide: readonly Provided[];
  readonly secrets: readonly string[];
  readonly endpoints: Readonly<Record<string, unknown>>;
  readonly config: object | undefined;
  /** Its default export, when that is a workflow. */
  readonly main: AnyWorkflow | undefined;
}

const yamlEndings = [".yaml", ".yml"];
const moduleEndings = [".ts", ".mts", ".js", ".mjs", ".cjs"];

/** Whether a file is a YAML contract by its name. */
export function isYaml(file: string): boolean {
  return yamlEndings.includes(extname(file).toLowerCase());
}

/** `FILE#name` in two; a file whose own name has the mark is taken as it is. */
export function splitName(target: string): { readonly file: string; readonly name: string | undefined } {
  const at = target.lastIndexOf("#");
  if (at < 0 || existsSync(target)) return { file: target, name: undefined };
  return { file: target.slice(0, at), name: target.slice(at + 1) };
}

/**
 * Loads files (YAML or modules, `#name` ignored), folders of generated nodes, and the modules of `--nodes`. A YAML workflow
 * of a generated node brings that node's own nodes along, unless `--nodes` names some.
 * Throws OnexError `FILE_MISSING`, `MODULE_INVALID`, `MANIFEST_INVALID`, `CONTRACT_INVALID`, and what a definition in a module throws.
 */
export async function load(files: readonly string[], nodeModules: readonly string[]): Promise<Loaded> {
  const nodes = new Set<AnyNode>();
  const provide = new Set<Provided>();
  const workflows = new Set<AnyWorkflow>();
  const secrets = new Set<string>();
  const places = new Places();
  const configs = new Map<string, { readonly config: object; readonly from: string }>();
  const take = async (file: string, own: boolean, manifest?: Manifest) => {
    const found = await loadModule(file);
    for (const node of found.nodes) {
      nodes.add(node);
      if (own && isWorkflow(node)) workflows.add(node);
    }
    for (const one of found.provide) provide.add(one);
    for (const one of found.secrets) secrets.add(one);
    places.take(found.endpoints, file);
    if (manifest && found.config) configs.set(JSON.stringify(found.config), { config: found.config, from: manifest.folder });
  };
  for (const file of nodeModules) {
    if (isYaml(file)) nodes.add(await loadReducer(file));
    else await take(file, false);
  }
  for (const target of files) {
    const { file } = splitName(target);
    if (isFolder(file)) for (const manifest of manifestsAt(file)) await take(manifest.entry, true, manifest);
    else if (!isYaml(file)) await take(file, true);
    else {
      checkThere(file);
      const { loadWorkflow } = await import("../plan/load.ts");
      const loaded = (await loadWorkflow(file)) as AnyWorkflow;
      const manifest = nodeModules.length === 0 ? manifestOf(file) : undefined;
      if (manifest) await take(manifest.entry, false, manifest);
      // The contract of a node and its code are one workflow, written twice: what was named is meant.
      for (const node of nodes) if (isTwin(node, loaded)) nodes.delete(node);
      nodes.add(loaded);
      workflows.add(loaded);
    }
  }
  const [config, other] = [...configs.values()];
  if (config && other)
    throw new OnexError(
      "OPTION_INVALID",
      `${config.from} and ${other.from} export different \`config\`, and one process has one: name one of the two folders`,
    );
  return {
    nodes: [...nodes],
    workflows: [...workflows],
    provide: [...provide],
    secrets: [...secrets],
    endpoints: places.all,
    config: config?.config,
  };
}

function isTwin(node: AnyNode, other: AnyWorkflow): boolean {
  const { kind, name, version } = node.contract;
  return kind === "workflow" && name === other.contract.name && version === other.contract.version;
}

/** Whether a path is a folder: of one generated node, or of a project of them. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The manifests that a folder means: its own, else all below it. Throws OnexError `FILE_MISSING`, `MANIFEST_INVALID`. */
export function manifestsAt(folder: string): readonly Manifest[] {
  const own = manifestIn(folder);
  const found = own ? [own] : manifestsUnder(folder);
  if (found.length > 0) return found;
  throw new OnexError(
    "FILE_MISSING",
    `${folder} is a folder without a manifest.yaml in it or below: name a file, or the folder of a generated node`,
  );
}

/**
 * The nodes that a YAML workflow is looked at with: of `--nodes`, else of the generated node that it belongs to; undefined
 * when neither is there. With those that only `endpoints` of these modules name. Throws what `load` throws.
 */
export async function nodesOf(file: string, nodeModules: readonly string[] | undefined): Promise<EndpointRegistry | undefined> {
  const manifest = nodeModules === undefined ? manifestOf(file) : undefined;
  const modules = nodeModules ?? (manifest ? [manifest.entry] : undefined);
  if (modules === undefined) return undefined;
  const { EndpointRegistry } = await import("../engine/client/endpoints.ts");
  const { nodes, endpoints } = await load([], modules);
  return new EndpointRegistry(nodes, await placesOf(endpoints));
}

/** An export `endpoints`, checked. Throws OnexError `MODULE_INVALID`. */
export async function placesOf(endpoints: Readonly<Record<string, unknown>>): Promise<Endpoints> {
  const { readEndpoints } = await import("../engine/client/endpoints.ts");
  try {
    return readEndpoints(endpoints as Readonly<Record<string, string>>);
  } catch (error) {
    throw error instanceof OnexError ? new OnexError("MODULE_INVALID", `export ${error.message}`, { cause: error }) : error;
  }
}

/** The one kind of node that YAML can be: the ONEX contract of a reducer. */
async function loadReducer(file: string): Promise<AnyNode> {
  checkThere(file);
  const { onexReducer } = await import("../plan/load.ts");
  try {
    return await onexReducer(file);
  } catch (error) {
    if (error instanceof OnexError && error.details === undefined)
      throw new OnexError("MODULE_INVALID", `--nodes ${file}: name the module that exports the nodes, or the ONEX contract of a reducer`, {
        cause: error,
      });
    throw error;
  }
}

/** The one workflow that a target means. Throws OnexError `WORKFLOW_UNKNOWN`, `WORKFLOW_AMBIGUOUS`, and what `load` throws. */
export async function loadTarget(target: string, nodeModules: readonly string[]): Promise<Loaded & { readonly workflow: AnyWorkflow }> {
  const { file, name } = splitName(target);
  const loaded = await load([file], nodeModules);
  const names = [...new Set(loaded.workflows.map(({ contract }) => contract.name))];
  const listed = names.map((each) => `${file}#${each}`);
  if (names.length === 0 && isFolder(file))
    throw new OnexError(
      "WORKFLOW_UNKNOWN",
      `no node in ${file} is a workflow: name the folder of an orchestrator (\`onex new orchestrator\` makes one)`,
    );
  if (names.length === 0)
    throw new OnexError(
      "WORKFLOW_UNKNOWN",
      `${file} exports no workflow: write \`export const NAME = workflow({ … }, function* () { … })\``,
    );
  if (name !== undefined) {
    const { Registry } = await import("../node/registry.ts");
    const found = new Registry(loaded.workflows).find("workflow", name);
    if (found) return { ...loaded, workflow: found as AnyWorkflow };
    throw new OnexError("WORKFLOW_UNKNOWN", `${file} exports no workflow "${name}"; it has ${oneOf(names)}.${didYouMean(name, names)}`);
  }
  const main = isYaml(file) || isFolder(file) ? undefined : (await loadModule(file)).main;
  if (main) return { ...loaded, workflow: main };
  if (loaded.workflows.length > 1)
    throw new OnexError(
      "WORKFLOW_AMBIGUOUS",
      `${file} exports ${names.length === 1 ? "several versions of a workflow" : "several workflows"}: say which, ${oneOf(names.length === 1 ? loaded.workflows.map(({ contract }) => `${file}#${contract.name}@${contract.version}`) : listed)}`,
    );
  return { ...loaded, workflow: loaded.workflows[0] as AnyWorkflow };
}

/** What a module exports: nodes, `provide`, arrays of both. Throws as `load` does. */
export async function loadModule(file: string): Promise<Module> {
  return contentsOf(await importModule(file));
}

export type Exported = Readonly<Record<string, unknown>>;

/** All exports of a module of the user. Throws as `load` does. */
export async function importModule(file: string): Promise<Exported> {
  checkThere(file);
  if (!moduleEndings.includes(extname(file).toLowerCase()))
    throw new OnexError("MODULE_INVALID", `${file} is neither YAML (${yamlEndings.join(", ")}) nor a module (${moduleEndings.join(", ")})`);
  registerHooks();
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Exported;
  } catch (error) {
    throw await explained(error, file);
  }
}

/** The nodes and services among the exports of a module. */
export function contentsOf(exported: Exported): Module {
  const nodes = new Set<AnyNode>();
  const provide = new Set<Provided>();
  const take = (value: unknown, depth: number): void => {
    if (isNode(value)) nodes.add(value);
    else if (isProvided(value)) provide.add(value);
    else if (Array.isArray(value) && depth < 2) for (const item of value) take(item, depth + 1);
  };
  for (const value of Object.values(exported)) take(value, 0);
  const main = exported.default;
  // A CommonJS module, or a default export that lists them: `export default { nodes, provide }`.
  if (isPlain(main)) for (const value of Object.values(main)) take(value, 0);
  const secrets = [...secretsOf(exported.secrets), ...(isPlain(main) ? secretsOf(main.secrets) : [])];
  const endpoints = {
    ...(isPlain(main) && isPlain(main.endpoints) ? main.endpoints : {}),
    ...(isPlain(exported.endpoints) ? exported.endpoints : {}),
  };
  const config = isPlain(exported.config) ? exported.config : undefined;
  return {
    nodes: [...nodes],
    provide: [...provide],
    secrets,
    endpoints,
    config,
    main: isNode(main) && isWorkflow(main) ? main : undefined,
  };
}

/** The values of an export `secrets`; one that is not set in this environment has none. */
function secretsOf(exported: unknown): string[] {
  return typeof exported === "object" && exported !== null
    ? Object.values(exported).filter((value): value is string => typeof value === "string" && value !== "")
    : [];
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isProvided(value);
}
function isNode(value: unknown): value is AnyNode {
  if (typeof value !== "function") return false;
  const { contract } = value as { readonly contract?: { readonly kind?: unknown; readonly name?: unknown } };
  return typeof contract === "object" && contract !== null && typeof contract.kind === "string" && typeof contract.name === "string";
}
function isWorkflow(node: AnyNode): node is AnyWorkflow {
  return node.contract.kind === "workflow";
}
function isProvided(value: unknown): value is Provided {
  if (typeof value !== "object" || value === null) return false;
  const { service, make } = value as { readonly service?: unknown; readonly make?: unknown };
  return typeof service === "string" && typeof make === "function";
}

/** Throws OnexError `FILE_MISSING`, with the name that was meant. */
export function checkThere(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats?.isDirectory()) throw new OnexError("FILE_MISSING", `${file} is a folder: name the file in it`);
  if (stats) return;
  let beside: string[] = [];
  try {
    beside = readdirSync(dirname(file));
  } catch {
    // The folder is missing too: nothing to suggest.
  }
  throw new OnexError("FILE_MISSING", `there is no file ${file}.${didYouMean(basename(file), beside)}`);
}

/** Why a module could not be loaded: what, at which place of the user's code, and what to do. */
async function explained(thrown: unknown, file: string): Promise<OnexError> {
  if (!(thrown instanceof Error)) return new OnexError("MODULE_INVALID", `${file} threw while it was loaded: ${String(thrown)}`);
  const at = placeOf(thrown);
  if (thrown instanceof OnexError)
    return new OnexError(thrown.code, `${at === undefined ? file : at}: ${thrown.message}`, { cause: thrown });
  const { code } = thrown as { readonly code?: unknown };
  // The loader hook has put the place in front already.
  if (thrown instanceof SyntaxError && /^.+:\d+:\d+: /.test(thrown.message))
    return new OnexError("MODULE_INVALID", thrown.message.replace(/^(.+?)(?=:\d+:\d+: )/, shown), { cause: thrown });
  if (thrown instanceof SyntaxError) return new OnexError("MODULE_INVALID", await syntax(thrown, file, at), { cause: thrown });
  if (code === "ERR_MODULE_NOT_FOUND") return new OnexError("MODULE_INVALID", notFound(thrown.message), { cause: thrown });
  const where = at === undefined || at.startsWith(`${shown(resolve(file))}:`) ? "" : `, loaded by ${file}`;
  return new OnexError("MODULE_INVALID", `${at ?? file}: it threw while it was loaded${where}: ${thrown.name}: ${thrown.message}`, {
    cause: thrown,
  });
}

async function syntax(error: SyntaxError, file: string, at: string | undefined): Promise<string> {
  if (error.message.includes("does not provide an export named"))
    return `${at ?? file}: ${error.message}; if it is a type, write \`import type\``;
  // Node says the line at most, and of a module in JavaScript not even that: the file is parsed again for the place.
  const suspect = at === undefined ? shown(resolve(file)) : at.replace(/(?::\d+){1,2}$/, "");
  try {
    const { stripTypes } = await import("./typescript-hooks.ts");
    await stripTypes(readFileSync(suspect, "utf8"), suspect);
  } catch (found) {
    if (found instanceof SyntaxError) return found.message;
  }
  return at === undefined ? `${file}: in it or in a module that it imports: ${error.message}` : `${at}: ${error.message}`;
}

function notFound(message: string): string {
  const [, what = "", from] = /Cannot find (?:module|package) '([^']+)'(?: imported from (.+))?/.exec(message) ?? [];
  const importer = from === undefined ? "" : `${shown(from)}:${lineOf(from, what)}: `;
  if (message.startsWith("Cannot find package")) return `${importer}it imports "${what}", which is not installed: npm install ${what}`;
  const candidates = [what.replace(/\.js$/, ".ts"), what.replace(/\.mjs$/, ".mts"), ...moduleEndings.map((ending) => what + ending)];
  const instead = candidates.find((path) => path !== what && existsSync(path));
  const hint = instead === undefined ? "" : `; ${shown(instead)} is there: write the import with the ending ${extname(instead)}`;
  return `${importer}it imports ${shown(what)}, which is not there${hint}`;
}

/** The line that imports `what`, as far as the text tells; else the first. */
function lineOf(file: string, what: string): number {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return (
      Math.max(
        0,
        lines.findIndex((line) => /["']/.test(line) && line.includes(basename(what))),
      ) + 1
    );
  } catch {
    return 1;
  }
}

const home = fileURLToPath(new URL("..", import.meta.url));

/** `file:line:column` of the first frame that is the user's, or of what Node puts in front of a stack. */
export function placeOf(error: Error): string | undefined {
  for (const line of (error.stack ?? "").split("\n")) {
    const match = /^(?:\s+at (?:.*[ (])?)?(file:\/\/[^\s()]+?|\/[^\s()]*?):(\d+)(?::(\d+))?\)?$/.exec(line);
    if (!match) continue;
    const [, name = "", row = "", column] = match;
    const path = name.startsWith("file:") ? fileURLToPath(name.replace(/[?#].*$/, "")) : name;
    if (path.startsWith(home) || path.includes(`${sep}node_modules${sep}`)) continue;
    return `${shown(path)}:${row}${column === undefined ? "" : `:${column}`}`;
  }
  return undefined;
}

/** A path as a person in this folder names it. */
export function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith(`..${sep}..`) ? path : near;
}
