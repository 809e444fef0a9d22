/** A YAML contract as a source of findings. */
import { OnexError } from "../../core/failure.ts";
import type { EndpointRegistry } from "../../engine/client/endpoints.ts";
import type { Finding } from "../../plan/finding.ts";
import { exit, exitOf } from "../exit.ts";
import { checkThere, nodesOf } from "../load.ts";
import { manifestOf } from "../manifest.ts";
import { withSuppliers } from "./other-nodes.ts";
import type { Source } from "./source.ts";
import { thrownFindings } from "./thrown.ts";

/** A contract, with the nodes that `checkContract` finds for it. */
export function contractSource(file: string, nodeModules: readonly string[] | undefined, own?: string): Source {
  const alone = nodeModules === undefined && own === undefined && !isOfNode(file);
  const unseen = new Map<string, URL>();
  return { kind: "contract", file, alone, unseen, find: () => checkContract(file, nodeModules, own, unseen) };
}

function isOfNode(file: string): boolean {
  try {
    return manifestOf(file) !== undefined;
  } catch {
    // One that cannot be read is one; what is wrong with it is told where it counts.
    return true;
  }
}

/**
 * What there is to say about a contract, with the nodes of the modules that were named, else of `own`, the module of its
 * node, else of the generated node that it stands in. A node's own module that does not load is a finding, and the contract
 * is looked at without it; modules that were named must load. `unseen` gets the nodes of which only endpoints tell. Throws OnexError `FILE_MISSING`, and what `load` throws for
 * `nodeModules`.
 */
export async function checkContract(
  file: string,
  nodeModules: readonly string[] | undefined,
  own?: string,
  unseen: Map<string, URL> = new Map(),
): Promise<readonly Finding[]> {
  // A file that is not there is a mistake of typing, not a finding.
  checkThere(file);
  const { checkFile } = await import("../../plan/load.ts");
  const findings: Finding[] = [];
  let nodes: EndpointRegistry | undefined;
  try {
    nodes = await nodesOf(file, nodeModules ?? (own === undefined ? undefined : [own]));
  } catch (error) {
    if (nodeModules !== undefined || !(error instanceof OnexError) || exitOf(error) !== exit.contract) throw error;
    findings.push(...thrownFindings(error, own ?? file));
  }
  const entry = own ?? (nodeModules === undefined ? entryOf(file) : undefined);
  try {
    const found = await checkFile(file, nodes);
    findings.push(...(entry === undefined ? found : withSuppliers(found, entry)));
    for (const [name, url] of nodes?.unseen() ?? []) unseen.set(name, url);
  } catch (error) {
    // Too long, or no text: there is no line to point at.
    if (!(error instanceof OnexError) || exitOf(error) !== exit.contract) throw error;
    findings.push(...thrownFindings(error, file));
  }
  return findings;
}

/** The module of the node that a contract stands in. */
function entryOf(file: string): string | undefined {
  try {
    return manifestOf(file)?.entry;
  } catch {
    return undefined;
  }
}
