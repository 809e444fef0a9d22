/** The YAML contracts that a file, a folder or a module stands for, for commands that look at plans. */
import { basename, dirname } from "node:path";
import { OnexError } from "../core/failure.ts";
import type { EndpointRegistry } from "../engine/client/endpoints.ts";
import type { Opened } from "../plan/load.ts";
import { checkThere, isFolder, isYaml, manifestsAt, nodesOf, splitName } from "./load.ts";
import { isManifest, manifestOf } from "./manifest.ts";

export interface Contract {
  readonly file: string;
  readonly opened: Opened;
  readonly nodes: EndpointRegistry | undefined;
}

/**
 * A YAML file itself; of a folder the contracts of its manifests; of a module the contracts of the generated node that it
 * belongs to, with `#name` the one of that name. Throws OnexError `PLAN_MISSING`, and what reading them throws.
 */
export async function contractsOf(target: string, nodeModules: readonly string[] | undefined): Promise<readonly Contract[]> {
  const { openContract } = await import("../plan/load.ts");
  const { file, name } = splitName(target);
  const files = contractFiles(file);
  const contracts: Contract[] = [];
  for (const each of files) {
    checkThere(each);
    const nodes = await nodesOf(each, nodeModules);
    contracts.push({ file: each, opened: await openContract(each, nodes), nodes });
  }
  if (name === undefined) return contracts;
  const named = contracts.filter(({ opened, file: at }) => opened.read?.flow.name === name || basename(at).startsWith(`${name}.`));
  if (named.length > 0) return named;
  throw new OnexError("PLAN_MISSING", `${file} has no contract of a workflow "${name}": its contracts are ${files.join(", ")}`);
}

function contractFiles(file: string): readonly string[] {
  if (isFolder(file)) {
    const files = manifestsAt(file).flatMap(({ contracts }) => contracts);
    if (files.length > 0) return files;
    throw new OnexError("PLAN_MISSING", `the manifests in ${file} name no contracts: name a YAML workflow`);
  }
  if (isManifest(file)) return contractFiles(dirname(file));
  if (isYaml(file)) return [file];
  checkThere(file);
  const beside = manifestOf(file)?.contracts ?? [];
  if (beside.length > 0) return beside;
  throw new OnexError(
    "PLAN_MISSING",
    `${file} is code: what its workflows do is known only while they run. Run one and look at the run (onex graph RUN), or name its YAML contract`,
  );
}
