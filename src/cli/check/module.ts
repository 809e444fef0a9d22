/** A module as a source of findings. */
import { OnexError } from "../../core/failure.ts";
import { type Endpoints, refuseRemote } from "../../engine/client/endpoints.ts";
import type { AnyNode } from "../../node/contract.ts";
import type { Finding } from "../../plan/finding.ts";
import { exit, exitOf } from "../exit.ts";
import { load, loadModule, placesOf } from "../load.ts";
import { checkCallsFrom } from "./calls.ts";
import { checkNodes } from "./nodes.ts";
import { thrownFindings } from "./thrown.ts";

/**
 * What there is to say about a module and the nodes that it exports; one that does not load is a finding.
 * Throws OnexError `FILE_MISSING`, and `MODULE_INVALID` for a file that is no module by its name.
 */
export async function checkModule(file: string, nodeModules: readonly string[]): Promise<readonly Finding[]> {
  let nodes: readonly AnyNode[];
  let endpoints: Endpoints;
  try {
    const found = await loadModule(file);
    nodes = found.nodes;
    endpoints = await placesOf(found.endpoints);
    refuseRemote(
      endpoints,
      nodes.map(({ contract }) => contract),
    );
    await load([], nodeModules);
  } catch (error) {
    if (error instanceof OnexError && exitOf(error) === exit.contract) return thrownFindings(error, file);
    throw error;
  }
  // Each looks at the module in its own way; all of them are asked.
  // One that says where nodes live need export none.
  const own = nodes.length === 0 && endpoints.size > 0 ? [] : checkNodes(file, nodes);
  return [...own, ...(await checkCallsFrom(file, new Set(nodes.map(({ contract }) => contract.name))))];
}
