/** What is in a folder that can be checked: generated nodes by their manifests, else contracts by their keys. */
import { closeSync, lstatSync, openSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { OnexError } from "../../core/failure.ts";
import type { Finding } from "../../plan/finding.ts";
import { kindOfType } from "../../plan/onex/names.ts";
import { exit, exitOf } from "../exit.ts";
import { filesUnder, readable } from "../files.ts";
import { isYaml } from "../load.ts";
import { type Manifest, manifestIn } from "../manifest.ts";
import { contractSource } from "./contract.ts";
import { checkDrift } from "./drift.ts";
import { checkModule } from "./module.ts";
import { checkTwins } from "./other-nodes.ts";
import type { Source } from "./source.ts";
import { thrownFindings } from "./thrown.ts";

/** So much of a file is looked at for its keys. */
const headBytes = 64 * 1024;

/**
 * The sources in a folder and below: of each manifest the node's module and contracts; without any manifest each YAML file
 * that is a contract by its keys. What is installed, hidden, or a link is passed over.
 */
export function sourcesIn(folder: string, nodeModules: readonly string[] | undefined): readonly Source[] {
  const own = manifestIsIn(folder) ? [folder] : [];
  const files = own.length > 0 ? [] : filesUnder(folder);
  const nodes = own.length > 0 ? own : files.filter((file) => basename(file) === "manifest.yaml").map((file) => join(file, ".."));
  if (nodes.length > 0) {
    const sources = nodes.flatMap((at) => sourcesOfNode(at, nodeModules));
    return nodes.length === 1 ? sources : [...sources, { kind: "project", file: folder, find: () => checkTwins(nodes.flatMap(manifest)) }];
  }
  return files.filter(isContract).map((file) => contractSource(file, nodeModules));
}

function manifest(folder: string): readonly Manifest[] {
  try {
    return [manifestIn(folder) ?? []].flat();
  } catch {
    // Its own source says why.
    return [];
  }
}

/** The sources of one generated node. A manifest that cannot be read is one too: it says why. */
export function sourcesOfNode(folder: string, nodeModules: readonly string[] | undefined): readonly Source[] {
  try {
    const manifest = manifestIn(folder);
    if (manifest === undefined) return [];
    const { entry, contracts } = manifest;
    return [
      { kind: "module", file: entry, find: () => checkModule(entry, nodeModules ?? []) },
      ...contracts.map((file) => contractSource(file, nodeModules, entry)),
      { kind: "manifest", file: manifest.file, find: () => driftOf(manifest) },
    ];
  } catch (error) {
    if (!(error instanceof OnexError) || exitOf(error) !== exit.contract) throw error;
    const file = join(folder, "manifest.yaml");
    return [{ kind: "manifest", file, find: async () => thrownFindings(error, file) }];
  }
}

/** A module that does not load keeps its node from being compared: that is a finding too. */
async function driftOf(manifest: Manifest): Promise<readonly Finding[]> {
  try {
    return await checkDrift(manifest);
  } catch (error) {
    if (!(error instanceof OnexError) || exitOf(error) !== exit.contract) throw error;
    return thrownFindings(error, manifest.entry);
  }
}

/** Whether a text is a contract by the keys at its left edge; also one that is broken elsewhere. */
export function looksLikeContract(text: string): boolean {
  const value = (key: string) => new RegExp(`^(?:"${key}"|'${key}'|${key})[ \\t]*:[ \\t]*["']?([^\\s"'#]*)`, "m").exec(text)?.[1];
  if (value("onex") !== undefined) return value("kind") === "workflow";
  const marks = ["workflow_coordination", "workflow_definition", "execution_graph", "event_flow", "state_transitions"];
  if (marks.some((mark) => value(mark) !== undefined)) return true;
  const type = value("node_type");
  return type !== undefined && kindOfType(type) === "workflow";
}

function isContract(file: string): boolean {
  if (!isYaml(file)) return false;
  return /\.contract\.ya?ml$/i.test(file) || looksLikeContract(readable(file, () => head(file)));
}

function manifestIsIn(folder: string): boolean {
  return lstatSync(join(folder, "manifest.yaml"), { throwIfNoEntry: false })?.isFile() === true;
}

function head(file: string): string {
  const bytes = Buffer.alloc(headBytes);
  const handle = openSync(file, "r");
  try {
    return bytes.toString("utf8", 0, readSync(handle, bytes));
  } finally {
    closeSync(handle);
  }
}
