/** `onex new KIND`: makes a project, or a node in one. */
import { readdirSync, realpathSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { OnexError } from "../../core/failure.ts";
import { inputOption, inputSubcontract } from "../example-input.ts";
import { type ExitCode, exit } from "../exit.ts";
import { isFolder } from "../load.ts";
import { Stopped } from "../new/ask.ts";
import { asked, chosen, type Terminals, type Wanted } from "../new/choose.ts";
import { checkFree, checkNew, nodesIn, onexVersion, projectAt } from "../new/project.ts";
import { type Rendered, render } from "../new/render.ts";
import { treeLines } from "../new/tree.ts";
import { camel, valuesOf } from "../new/values.ts";
import { existing, writeTree } from "../new/write.ts";
import { clean, json, print } from "../output.ts";

export interface NewOptions {
  readonly name?: string;
  readonly domain?: string;
  readonly version?: string;
  readonly dir?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** Where the command stands; of a terminal that can answer there are its two ends. */
export interface Place {
  readonly cwd: string;
  readonly terminals: Terminals | undefined;
}

function here(): Place {
  const answers = process.stdin.isTTY === true && process.stdout.isTTY === true;
  return { cwd: process.cwd(), terminals: answers ? { input: process.stdin, output: process.stderr } : undefined };
}

/** Throws OnexError `USAGE`, `NAME_REFUSED`, `NAME_TAKEN`, `PROJECT_MISSING`, and what `writeTree` throws. */
export async function make(kind: string | undefined, name: string | undefined, options: NewOptions, place = here()): Promise<ExitCode> {
  if (name !== undefined && options.name !== undefined && name !== options.name)
    throw new OnexError(
      "USAGE",
      `new: two names were given, ${JSON.stringify(name)} and --name ${JSON.stringify(options.name)}: leave one out`,
    );
  const typed = { kind, name: name ?? options.name, domain: options.domain, version: options.version };
  const from = folderOf(options.dir, place.cwd);
  let wanted: Wanted;
  try {
    if (!place.terminals || options.yes) wanted = chosen(typed);
    else wanted = await asked(typed, () => [...new Set(nodesIn(projectAt(from)).map(({ domain }) => domain))], place.terminals);
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    say("\nstopped; nothing was written");
    return exit.interrupted;
  }
  const tree =
    wanted.kind === "project" ? projectTree(wanted, from) : nodeTree(wanted, from, options.force === true || options.dryRun === true);
  if (wanted.kind === "project" && !options.force) checkEmpty(join(from, wanted.name), wanted.name, existing(tree.base, tree.files));
  const shown = (path: string) => relative(place.cwd, join(tree.base, path)).split(sep).join("/");
  const there = options.dryRun ? existing(tree.base, tree.files) : writeTree(tree.base, tree.files, options.force === true);
  const paths = tree.files.map(({ path }) => shown(path));
  if (options.json) print(json(paths));
  else
    for (const line of treeLines(
      tree.files.map(({ path }) => path),
      shown(""),
    ))
      print(clean(line));
  for (const path of there)
    say(`${options.dryRun ? (options.force ? "would be overwritten" : "is there already") : "overwritten"}: ${shown(path)}`);
  if (options.dryRun) say("dry run: nothing was written");
  else say(`made ${tree.title}; next:`, ...tree.next(shown).map((line) => `  ${line}`));
  return exit.done;
}

interface Tree {
  /** A folder that is there; the paths of the files are below it. */
  readonly base: string;
  readonly files: readonly Rendered[];
  readonly title: string;
  /** What to type then. */
  next(shown: (path: string) => string): readonly string[];
}

function projectTree({ name }: Wanted, from: string): Tree {
  const values = valuesOf({ project: name, domain: "", name: "", version: "" }, onexVersion());
  return {
    base: from,
    files: render("project", values).map(({ path, text }) => ({ path: `${name}/${path}`, text })),
    title: `project ${name}`,
    next: (shown) => [`cd ${shown(name)}`, "npm install", "npx onex new orchestrator --domain shop --name order"],
  };
}

/** A folder that was made for the project is fine, also under version control; one with other things in it is a slip. */
function checkEmpty(folder: string, name: string, there: readonly string[]): void {
  if (!isFolder(folder)) return;
  const inside = readdirSync(folder).filter((entry) => entry !== ".git");
  if (inside.length === 0) return;
  const some = inside.length > 5 ? [...inside.slice(0, 5), "…"] : inside;
  throw new OnexError(
    "FILE_EXISTS",
    `nothing was written, since the folder ${name} is not empty (${some.join(", ")}): choose another name; --force adds the project to it${there.length === 0 ? "" : `, and overwrites ${there.join(", ")}`}`,
  );
}

function nodeTree(wanted: Wanted, from: string, force: boolean): Tree {
  const project = projectAt(from);
  const { kind, domain, name, version } = wanted;
  const picked = { project: project.name, domain, name, version };
  const nodes = nodesIn(project);
  checkFree(kind, picked, nodes);
  if (!force) checkNew(kind, picked, nodes);
  const files = render(kind, valuesOf(picked, onexVersion()));
  const manifest = files.find(({ path }) => path.endsWith("/manifest.yaml"))?.path ?? "";
  const folder = manifest.replace(/\/[^/]*$/, "");
  const subcontract = files.find(({ path }) => path === `${folder}/${inputSubcontract}`);
  const input = subcontract && inputOption(subcontract.text);
  return {
    base: project.folder,
    files,
    title: `${kind} ${name}@${version}`,
    next: (shown) => [
      `npx onex check ${shown(folder)}`,
      `npx vitest run ${shown(folder.replace(/^src\//, "tests/"))}`,
      input === undefined ? use(name, folder) : `npx onex run ${shown(folder)} ${input}`,
    ],
  };
}

/** How a node that a workflow calls is put to use. */
function use(name: string, folder: string): string {
  const variable = camel(name);
  return `in a workflow: import { ${variable} } from "../../../${folder.split("/").slice(-2).join("/")}/index.ts", then yield* ${variable}(…)`;
}

function folderOf(dir: string | undefined, cwd: string): string {
  if (dir === undefined) return cwd;
  const folder = resolve(cwd, dir);
  if (!isFolder(folder)) throw new OnexError("FILE_MISSING", `--dir ${dir}: there is no such folder`);
  return realpathSync(folder);
}

function say(...lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`);
}
