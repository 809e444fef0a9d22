/** `onex new` and `npm create onex` as a user meets them: from the packed tarballs, in empty folders, with real processes. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { publint } from "publint";
import { afterAll, expect, test } from "vitest";
import { render } from "../src/cli/new/render.ts";
import { valuesOf } from "../src/cli/new/values.ts";
import { writeTree } from "../src/cli/new/write.ts";
import { type Ended, install, npm, packed, skipWithoutNetwork } from "./install.ts";
import { linkPackages } from "./linked.ts";

const root = resolve(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "onex-new-"));
  folders.push(folder);
  return folder;
}

function node(folder: string, ...args: readonly string[]): Promise<Ended> {
  const { ONEX_STORE: _store, FORCE_COLOR: _colour, NODE_ENV: _mode, ...env } = process.env;
  return new Promise((done) => {
    execFile(process.execPath, args, { cwd: folder, env }, (error, stdout, stderr) =>
      done({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, stdout, stderr }),
    );
  });
}

test.skipIf(skipWithoutNetwork("npm create onex, and a project from the tarball"))(
  "from tarballs: npm create onex makes a project, in which a node of each kind is made, checked, tested, run, and killed once",
  async () => {
    // One installation: of what npm create runs, and of what the project will ask for.
    const folder = emptyFolder();
    const { version } = JSON.parse(read("package.json")) as { version: string };
    const values = valuesOf({ project: "my-shop", domain: "any", name: "any", version: "1.0.0" }, version);
    writeTree(folder, render("project", values), false);
    const asked = readFileSync(join(folder, "package.json"), "utf8");
    await install(folder, [await packed("onex"), await packed("create-onex")]);
    const created = await npm(folder, "create", "onex", "my-shop", "--", "--yes");
    expect(created.stderr).toContain("made project my-shop; next:\n  cd my-shop\n  npm install\n");
    expect(created.code).toBe(0);

    const project = join(folder, "my-shop");
    expect(readFileSync(join(project, "package.json"), "utf8")).toBe(asked);
    renameSync(join(folder, "node_modules"), join(project, "node_modules"));
    // npm finds there all that the project asks for.
    expect(await npm(project, "ls")).toMatchObject({ code: 0, stderr: "" });
    const onex = (...args: readonly string[]) => node(project, "node_modules/onex/dist/cli/main.js", ...args);
    const files: string[] = [];
    let advice = "";
    for (const kind of ["compute", "effect", "reducer", "orchestrator"]) {
      const made = await onex("new", kind, "--domain", "shop", "--name", `my-${kind}`, "--json");
      expect(made.code, made.stderr).toBe(0);
      files.push(...(JSON.parse(made.stdout) as string[]));
      advice = made.stderr;
    }
    expect(files.filter((file) => !existsSync(join(project, file)))).toEqual([]);

    expect(await node(project, "node_modules/typescript/bin/tsc", "--noEmit")).toMatchObject({ stdout: "", code: 0 });
    expect(await onex("check", ".", "--json")).toMatchObject({ code: 0, stdout: "[]\n" });
    const tested = await npm(project, "test", "--", "--reporter=verbose");
    expect(tested.code, tested.stdout).toBe(0);
    expect(tested.stdout).toMatch(/✓ .*a killed run is finished by the next process, and charged once/);
    expect(tested.stdout).toMatch(/Test Files +10 passed/);

    // The first run, as the command suggests it.
    const [, target = "", input = ""] = /npx onex run (\S+) --input '(.+)'/.exec(advice) ?? [];
    expect(await onex("run", target, "--input", input)).toMatchObject({ code: 0, stdout: expect.stringContaining('"receipt"') });
  },
  // An installation over the network.
  600_000,
);

/** Good names that a module might use itself, or that read oddly as identifiers. */
const odd = (
  "a x1-2 instance-of array error json input output event state line ledger in-memory-ledger undo ask orchestrator transfer price charge " +
  "refund services workflow-type create-order in-memory total"
).split(" ");

/** A project whose packages are those of this repository. */
function projectFolder(): { readonly folder: string; write(template: string, name: string, version?: string): void } {
  const folder = emptyFolder();
  const write = (template: string, name: string, version = "2.0.1"): void => {
    writeTree(folder, render(template, valuesOf({ project: "big-co", domain: "pay-roll", name, version }, "0.1.0")), false);
  };
  write("project", "any");
  linkPackages(folder, ["@types", "typescript", "vitest", "zod"]);
  return { folder, write };
}
const templates = readdirSync(join(root, "templates")).filter((template) => template !== "project");

const inOneProcess = ["--no-isolate", "--no-file-parallelism"];

test("whatever good name a node has, what is made is sound, and its tests pass", async () => {
  const { folder, write } = projectFolder();
  for (const template of templates) for (const name of odd) write(template, name);
  expect(await node(folder, "node_modules/typescript/bin/tsc", "--noEmit")).toMatchObject({ stdout: "", code: 0 });
  // In one process: here the names are looked at, and the package is loaded once. As users run them: above.
  const tested = await node(folder, "node_modules/vitest/vitest.mjs", "run", ...inOneProcess, "node_pay_roll_ledger_");
  expect(tested.code, tested.stdout + tested.stderr).toBe(0);
});

test("nodes of all kinds, each in two versions, load in one process: no two nodes or services have one name", async () => {
  const { folder, write } = projectFolder();
  for (const template of templates) for (const version of ["1.0.0", "1.1.0"]) write(template, `my-${template}`, version);
  expect(await node(folder, join(root, "dist/cli/main.js"), "work", ".", "--until-idle")).toMatchObject({ code: 0 });
});

test("create-onex is of the same version as onex, and depends on it", () => {
  const own = JSON.parse(read("package.json")) as { version: string; engines: object };
  expect(JSON.parse(read("packages/create-onex/package.json"))).toMatchObject({
    version: own.version,
    engines: own.engines,
    dependencies: { onex: `^${own.version}` },
  });
  expect(read("packages/create-onex/LICENSE")).toBe(read("LICENSE"));
});

test("create-onex is a sound package", async () => {
  const { messages } = await publint({ pkgDir: join(root, "packages/create-onex"), strict: true });
  expect(messages).toEqual([]);
});

test("a project depends on what this repository is tried with", () => {
  type Package = { engines: object; dependencies: Record<string, string>; devDependencies: Record<string, string> };
  const template = JSON.parse(read("templates/project/package.json.tmpl")) as Package;
  const own = JSON.parse(read("package.json")) as Package;
  expect(template.engines).toEqual(own.engines);
  const { onex, ...others } = { ...template.dependencies, ...template.devDependencies };
  expect(onex).toBe("^{{onexVersion}}");
  for (const [name, range] of Object.entries(others)) expect(range, name).toBe(own.devDependencies[name]);
});

test("--version loads nothing that is installed, and a command that looks at runs nothing that reads contracts", async () => {
  const hooks = `export async function resolve(name, context, next) {
    const found = await next(name, context);
    process._rawDebug("loads " + found.url);
    return found;
  }`;
  const url = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
  const register = `import { register } from "node:module"; register(${JSON.stringify(url(hooks))});`;
  const main = (...args: readonly string[]) => node(root, "--import", url(register), join(root, "dist/cli/main.js"), ...args);
  const version = await main("--version");
  expect(version.stdout).toBe(`${(JSON.parse(read("package.json")) as { version: string }).version}\n`);
  expect(version.stderr).toContain("dist/cli/main.js");
  expect(version.stderr).not.toContain("node_modules");
  // The probe sees what is loaded.
  const looked = (await main("ls", "--store", "memory:")).stderr;
  expect(looked).toContain("node_modules/commander");
  expect(looked).toContain("dist/engine/engine.js");
  expect(looked).not.toMatch(/node_modules\/(?:yaml|ajv)|dist\/plan\/workflow\.js/);
});

test("at no terminal nothing is asked: what is missing is said", async () => {
  const folder = emptyFolder();
  mkdirSync(join(folder, "empty"));
  const main = join(root, "dist/cli/main.js");
  const ended = await node(join(folder, "empty"), main, "new", "project");
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toContain("onex new project NAME");
});
