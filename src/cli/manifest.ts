/**
 * `manifest.yaml`: what a folder of a generated node holds, so that a command can be given the folder. What a node
 * exports stands in its module alone; the manifest only says which module that is.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import { Cursor } from "../plan/cursor.ts";
import { fence } from "../plan/fence.ts";
import { Findings } from "../plan/finding.ts";
import { filesUnder } from "./files.ts";

export const manifestKinds = ["orchestrator", "compute", "effect", "reducer"] as const;
export type ManifestKind = (typeof manifestKinds)[number];

export interface Manifest {
  readonly file: string;
  /** The folder of the manifest; the paths in it are relative to here. */
  readonly folder: string;
  readonly kind: ManifestKind;
  readonly name: string;
  readonly domain: string;
  readonly version: string;
  /** The module that exports the nodes. */
  readonly entry: string;
  /** YAML workflows that belong to the node. */
  readonly contracts: readonly string[];
}

const manifestName = "manifest.yaml";

/** Whether a path names a manifest itself. */
export function isManifest(file: string): boolean {
  return basename(file) === manifestName && existsSync(file);
}

/** The manifest in a folder; undefined when there is none. Throws OnexError `MANIFEST_INVALID` with every complaint. */
export function manifestIn(folder: string): Manifest | undefined {
  const file = join(folder, manifestName);
  return existsSync(file) ? readManifest(file) : undefined;
}

/** The manifest of the node that a file belongs to: in its folder or the nearest above, up to the project's. Throws as `manifestIn` does. */
export function manifestOf(file: string): Manifest | undefined {
  let folder = dirname(resolve(file));
  for (;;) {
    const found = manifestIn(folder);
    if (found) return found;
    const above = dirname(folder);
    if (above === folder || existsSync(join(folder, "package.json"))) return undefined;
    folder = above;
  }
}

/** Every manifest in a folder and below, by path; links and what is installed are not followed. Throws as `manifestIn` does. */
export function manifestsUnder(folder: string): readonly Manifest[] {
  return filesUnder(folder)
    .filter((file) => basename(file) === manifestName)
    .map(readManifest);
}

function readManifest(file: string): Manifest {
  const findings = new Findings(file);
  const folder = dirname(file);
  const fenced = fence(readFileSync(file, "utf8"), findings);
  const root = fenced && Cursor.root(fenced.data, findings, fenced.places);
  if (root?.map("a manifest")) {
    root.only("a manifest", ["onex", "kind", "name", "domain", "version", "entry", "contracts"]);
    for (const key of ["onex", "kind", "name", "domain", "version", "entry"])
      if (!root.has(key)) root.error("MANIFEST_INVALID", `a manifest needs \`${key}\``);
    root.get("onex")?.choice("onex", ["v1"]);
    const manifest: Manifest = {
      file,
      folder,
      kind: root.get("kind")?.choice("kind", manifestKinds) ?? "orchestrator",
      name: root.get("name")?.text("name") ?? "",
      domain: root.get("domain")?.text("domain") ?? "",
      version: root.get("version")?.text("version") ?? "",
      entry: pathAt(root.get("entry"), folder),
      contracts: (root.get("contracts")?.list("contracts") ? (root.get("contracts")?.items() ?? []) : []).map((item) =>
        pathAt(item, folder),
      ),
    };
    if (!findings.failed) return manifest;
  }
  const lines = findings.sorted().map(({ line, column, message }) => `  ${file}:${line}:${column} ${message}`);
  const details = findings.sorted() as unknown as Json;
  throw new OnexError("MANIFEST_INVALID", `${file} is not a manifest:\n${lines.join("\n")}`, { details });
}

/** A path of the manifest, as a path of this process. */
function pathAt(cursor: Cursor | undefined, folder: string): string {
  const path = cursor?.text(String(cursor.name));
  if (cursor === undefined || path === undefined) return "";
  const found = join(folder, path);
  if (!existsSync(found)) cursor.error("MANIFEST_INVALID", `there is no file ${found}`);
  return found;
}
