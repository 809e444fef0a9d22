/** What `onex check` looks at: each thing that was named is a list of sources, and each source answers findings. */
import { basename, dirname } from "node:path";
import { OnexError } from "../../core/failure.ts";
import type { Finding } from "../../plan/finding.ts";
import { checkThere, isFolder, isYaml, splitName } from "../load.ts";

export interface Source {
  /** A project: what holds between its nodes. */
  readonly kind: "contract" | "module" | "manifest" | "project";
  readonly file: string;
  /** Of a contract for which no nodes are there: what it calls is not looked at. */
  readonly alone?: boolean;
  /** Of a contract that was looked at: nodes that it calls, and of which only an export `endpoints` tells. */
  readonly unseen?: Map<string, URL>;
  /** Throws for a mistake of typing; what is wrong with the file is an answer. */
  find(): Promise<readonly Finding[]>;
}

/** The sources that a target means: a file, or all that there is in a folder. Throws OnexError `FILE_MISSING`, `USAGE`. */
export async function sourcesOf(target: string, nodeModules: readonly string[] | undefined): Promise<readonly Source[]> {
  const { sourcesIn, sourcesOfNode } = await import("./folder.ts");
  const { file } = splitName(target);
  if (isFolder(file)) {
    const found = sourcesIn(file, nodeModules);
    if (found.length > 0) return found;
    throw new OnexError(
      "USAGE",
      `there is nothing to check in ${file}: no manifest.yaml and no YAML workflow (onex: v1 and kind: workflow, or the keys of ONEX), in it or below; name a module by its file`,
    );
  }
  checkThere(file);
  if (basename(file) === "manifest.yaml") return sourcesOfNode(dirname(file), nodeModules);
  if (/\.subcontract\.ya?ml$/i.test(file))
    throw new OnexError("USAGE", `${file} is checked together with its node: name the folder of the manifest.yaml`);
  if (isYaml(file)) {
    const { contractSource } = await import("./contract.ts");
    return [contractSource(file, nodeModules)];
  }
  const { checkModule } = await import("./module.ts");
  return [{ kind: "module", file, find: () => checkModule(file, nodeModules ?? []) }];
}

/** What all sources have to say: each finding once, file by file, in the order of the text. */
export async function findAll(sources: readonly Source[]): Promise<readonly Finding[]> {
  const files = new Map<string, Map<string, Finding>>();
  for (const source of sources)
    for (const finding of await source.find()) {
      const known = files.get(finding.file) ?? new Map<string, Finding>();
      files.set(finding.file, known.set(JSON.stringify(finding), finding));
    }
  return [...files.values()].flatMap((found) => [...found.values()].sort((a, b) => a.line - b.line || a.column - b.column));
}
