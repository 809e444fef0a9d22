/** A project has many generated nodes: who else has the one that a contract misses, and which two are one. */
import { relative } from "node:path";
import { OnexError } from "../../core/failure.ts";
import type { AnyNode } from "../../node/contract.ts";
import type { Finding } from "../../plan/finding.ts";
import { exit, exitOf } from "../exit.ts";
import { loadModule, shown } from "../load.ts";
import { type Manifest, manifestsUnder } from "../manifest.ts";
import { projectOf } from "./models.ts";

/** Says of each node that a contract of the module `entry` misses how it gets there: from another node of the project, if it is that one's. */
export function withSuppliers(findings: readonly Finding[], entry: string): readonly Finding[] {
  return findings.map((finding) => {
    const [, name] = finding.code === "NODE_UNKNOWN" ? (/^there is no \w+ "([^"@]+)/.exec(finding.message) ?? []) : [];
    if (name === undefined) return finding;
    const owner = manifestsOf(entry).find((manifest) => manifest.name === name && manifest.entry !== entry);
    const how = owner
      ? `${shown(owner.folder)} has it: import it from there, and add it to the export \`nodes\` of ${shown(entry)}`
      : `Nodes of this contract are those that ${shown(entry)} exports`;
    return { ...finding, message: `${finding.message.replace(/ There are .*$/, (known) => (owner ? "" : known))} ${how}` };
  });
}

function manifestsOf(entry: string): readonly Manifest[] {
  try {
    return manifestsUnder(projectOf(entry));
  } catch {
    // What is wrong with a manifest is told where it counts.
    return [];
  }
}

/** Nodes of one name and version that two generated nodes define, each for itself: one process cannot hold both. */
export async function checkTwins(manifests: readonly Manifest[]): Promise<readonly Finding[]> {
  const known = new Map<string, { readonly node: AnyNode; readonly manifest: Manifest }>();
  const findings: Finding[] = [];
  for (const manifest of manifests) {
    const twins = new Map<Manifest, string[]>();
    for (const node of await nodesOf(manifest)) {
      const name = `${node.contract.name}@${node.contract.version}`;
      const twin = known.get(name);
      if (twin === undefined) known.set(name, { node, manifest });
      else if (twin.node !== node && twin.manifest !== manifest) twins.set(twin.manifest, [...(twins.get(twin.manifest) ?? []), name]);
    }
    for (const [other, names] of twins)
      findings.push({
        level: "error",
        code: "NODE_DUPLICATE",
        file: manifest.file,
        line: 0,
        column: 0,
        message: `it defines ${names.join(", ")}, and so does ${relative(manifest.folder, other.folder) || other.folder}: give them another name or version. A second version is made by \`onex new ${manifest.kind} ${manifest.name} --domain ${manifest.domain} --version 1.1.0\``,
      });
  }
  return findings;
}

async function nodesOf({ entry }: Manifest): Promise<readonly AnyNode[]> {
  try {
    return (await loadModule(entry)).nodes;
  } catch (error) {
    // What keeps a module from loading is told as its own.
    if (error instanceof OnexError && exitOf(error) === exit.contract) return [];
    throw error;
  }
}
