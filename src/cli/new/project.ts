/** The project that a node is made in: the nearest folder above whose package.json depends on onex. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OnexError } from "../../core/failure.ts";
import { type Manifest, manifestsUnder } from "../manifest.ts";
import { nameOf } from "./names.ts";
import { type Chosen, snake } from "./values.ts";

export interface Project {
  readonly folder: string;
  /** Of its package, without a scope. */
  readonly name: string;
}

interface Package {
  readonly name?: unknown;
  readonly dependencies?: unknown;
  readonly devDependencies?: unknown;
}

/** Throws OnexError `PROJECT_MISSING`, and `NAME_REFUSED` for a project whose name cannot be that of a folder. */
export function projectAt(from: string): Project {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = packageIn(folder);
    if (found && [found.dependencies, found.devDependencies].some(namesOnex)) {
      const name = typeof found.name === "string" ? found.name.replace(/^@[^/]*\//, "") : "";
      return { folder, name: nameOf("project", name, `${join(folder, "package.json")}: its name`) };
    }
    if (dirname(folder) === folder) break;
  }
  throw new OnexError(
    "PROJECT_MISSING",
    `${from} is in no project: neither it nor a folder above has a package.json that depends on onex. ` +
      "Make one with `onex new project NAME`, or `npm install onex` in the one that is meant",
  );
}

function namesOnex(dependencies: unknown): boolean {
  return typeof dependencies === "object" && dependencies !== null && Object.hasOwn(dependencies, "onex");
}

function packageIn(folder: string): Package | undefined {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, "utf8").replace(/^\uFEFF/, "")) as Package;
  } catch (error) {
    throw new OnexError("PROJECT_MISSING", `${file} cannot be read, so it is not known what it depends on: ${(error as Error).message}`);
  }
}

/** The generated nodes of a project. Throws OnexError `MANIFEST_INVALID`. */
export function nodesIn({ folder, name }: Project): readonly Manifest[] {
  const nodes = join(folder, "src", snake(name), "nodes");
  return existsSync(nodes) ? manifestsUnder(nodes) : [];
}

/** Throws OnexError `NAME_TAKEN` when another node of the project has that name, which then would mean two things. */
export function checkFree(kind: string, chosen: Chosen, nodes: readonly Manifest[]): void {
  const called = (one: { readonly domain: string; readonly name: string }, of: string) => `${of} "${one.name}" of domain "${one.domain}"`;
  for (const other of nodes) {
    const same = other.name === chosen.name;
    if (same && (other.kind !== kind || other.domain !== chosen.domain))
      throw new OnexError(
        "NAME_TAKEN",
        `there is the ${called(other, other.kind)} in ${other.folder}, and a name means one node: choose another --name than "${chosen.name}"`,
      );
    // `a-b` `c` and `a` `b-c` make one folder.
    if (!same && other.kind === kind && snake(`${other.domain}-${other.name}`) === snake(`${chosen.domain}-${chosen.name}`))
      throw new OnexError(
        "NAME_TAKEN",
        `the ${called(other, other.kind)} has the folder that ${called(chosen, "the one")} would get, ${other.folder}: choose another --name or --domain`,
      );
  }
}

/** Throws OnexError `FILE_EXISTS` when the project has that version of the node, with the one to make instead. */
export function checkNew(kind: string, { name, domain, version }: Chosen, nodes: readonly Manifest[]): void {
  const versions = nodes.filter((other) => other.name === name).map((other) => other.version);
  if (!versions.includes(version)) return;
  const [major = "1", minor = "0"] = version.split(".");
  let next = Number(minor) + 1;
  while (versions.includes(`${major}.${next}.0`)) next++;
  throw new OnexError(
    "FILE_EXISTS",
    `nothing was written, since there is ${kind} ${name}@${version} already: \`onex new ${kind} ${name} --domain ${domain} --version ${major}.${next}.0\` makes another version beside it, --force writes it anew`,
  );
}

/** The version of onex that runs. */
export function onexVersion(): string {
  return (JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
