/** The README does what it says: every command in it is run, and every file that the documents name is there. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { programOf } from "../src/cli/usage/program.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (file: string) => readFileSync(join(root, file), "utf8");
const manifest = JSON.parse(read("package.json")) as { readonly scripts: Record<string, string>; readonly bin: Record<string, string> };
const readme = read("README.md");

/** Fenced blocks of a language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block = ""]) => block);
}
const [beginning = "", ...others] = blocks(readme, "sh");
/** From nothing to a running node: it leaves the repository, so it is run as one. */
const firstMinute = beginning.trim().split("\n");
const commands = others.flatMap((block) => block.trim().split("\n"));

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
/** A folder with the package and zod installed. */
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "onex-readme-"));
  folders.push(made);
  installed(made);
  return made;
}
/** What `npm install` puts there, without the network: links. */
function installed(project: string): void {
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules/onex"));
  symlinkSync(join(root, "node_modules/zod"), join(project, "node_modules/zod"));
}

/** Words of a command line; the README uses single quotes only. */
function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}
function node(args: readonly string[], cwd: string): Promise<Ended> {
  const { ONEX_STORE: _store, FORCE_COLOR: _colour, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env: { ...env, NODE_ENV: "test" } }, (error, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

describe("every command of the README", () => {
  test("from nothing to a running node runs in its order, from a clone to a project beside it", async () => {
    const beside = mkdtempSync(join(tmpdir(), "onex-readme-"));
    folders.push(beside);
    let cwd = join(beside, "clone");
    mkdirSync(cwd);
    let last = "";
    for (const command of firstMinute) {
      if (command === "npm run build") continue;
      const [, to] = /^cd (\S+)$/.exec(command) ?? [];
      const [, prefix] = /^npm install --prefix (\S+) \.$/.exec(command) ?? [];
      if (to !== undefined) cwd = join(cwd, to);
      else if (prefix !== undefined) installed(join(cwd, prefix));
      else {
        expect(command).toMatch(/^(?:node dist\/cli\/main\.js|npx onex) /);
        const ended = await node([join(root, manifest.bin.onex ?? ""), ...words(command).slice(2)], cwd);
        expect(ended.code, `${command}\n${ended.stderr}`).toBe(0);
        last = ended.stdout;
      }
    }
    expect(readme).toContain(`\`${last.trim()}\``);
    const scripts = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8")) as { readonly scripts: object };
    expect(scripts.scripts).toHaveProperty("test");
  });

  test("is one that this test knows how to run", () => {
    expect(commands.length).toBeGreaterThan(6);
    for (const command of commands) expect(command).toMatch(/^(?:npm run \w+|npm test|node dist\/cli\/main\.js .+|npx onex .+)$/);
  });

  test("npm scripts exist; the demo and the tests have tests of their own", () => {
    const scripts = commands.flatMap((command) => /^npm (?:run )?(\w+)$/.exec(command)?.[1] ?? []);
    expect(scripts).toContain("demo");
    expect(scripts).toContain("test");
    for (const script of scripts) {
      expect(manifest.scripts, script).toHaveProperty(script);
      // On a fresh clone too.
      expect(manifest.scripts[script], script).toMatch(/^node scripts\/setup\.js && /);
    }
    expect(existsSync(join(root, "test/demo.test.ts"))).toBe(true);
  });

  test("in the repository runs, in its order, and prints its output", async () => {
    const copy = folder();
    symlinkSync(join(root, "dist"), join(copy, "dist"));
    cpSync(join(root, "examples/hello"), join(copy, "examples/hello"), { recursive: true });
    const outputs: string[] = [];
    for (const command of commands.filter((line) => line.startsWith("node "))) {
      const ended = await node(words(command).slice(1), copy);
      expect(ended.code, `${command}\n${ended.stderr}`).toBe(0);
      if (command.includes(" run ")) expect(JSON.parse(ended.stdout), command).toEqual({ said: "Hello, Ada!" });
      outputs.push(ended.stdout);
    }
    // The last one lists both runs.
    expect(outputs.at(-1)).toMatch(/hello-yaml@1\.0\.0 +completed[\s\S]*hello@1\.0\.0 +completed/);
  });

  test("with npx runs where the package is installed", async () => {
    const project = folder();
    cpSync(join(root, "examples/hello"), project, { recursive: true });
    const bin = join(root, manifest.bin.onex ?? "");
    const inText = [...readme.matchAll(/`(npx onex [^`\n]+)`/g)].map(([, command = ""]) => command);
    for (const command of [...commands.filter((line) => line.startsWith("npx ")), ...inText]) {
      const ended = await node([bin, ...words(command).slice(2)], project);
      expect(ended.code, `${command}\n${ended.stderr}`).toBe(0);
    }
    const shown = await node([bin, "show", "hello-1", "--json"], project);
    expect(JSON.parse(shown.stdout)).toMatchObject({ status: "completed", output: { said: "Hello, Bob!" } });
  });
});

describe("the code in the README", () => {
  test("is that of examples/hello", () => {
    expect(blocks(readme, "ts")).toEqual([read("examples/hello/hello.ts")]);
    expect(blocks(readme, "yaml")).toEqual([read("examples/hello/hello.yaml")]);
  });
});

describe("the code in the guide", () => {
  const guide = read("docs/guide.md");

  // The tutorial builds a project: test/tutorial.test.ts does.
  const pages = readdirSync(join(root, "docs/guide"))
    .filter((file) => file !== "tutorial.md")
    .map((file) => ({ file, text: read(`docs/guide/${file}`) }));
  /** Of each page a module beside that of the guide, from which it may import. */
  function modules(project: string): string[] {
    writeFileSync(join(project, "package.json"), '{ "type": "module" }');
    const texts = [{ file: "guide.md", text: guide }, ...pages];
    return texts.map(({ file, text }) => {
      const name = file.replace(/\.md$/, ".ts");
      writeFileSync(join(project, name), blocks(text, "ts").join("\n"));
      return name;
    });
  }

  test("compiles as one program, and its test passes", async () => {
    const project = folder();
    const files = JSON.stringify(modules(project));
    symlinkSync(join(root, "node_modules/@types"), join(project, "node_modules/@types"));
    const base = JSON.stringify(join(root, "tsconfig.base.json"));
    const options =
      '{ "composite": false, "declaration": false, "declarationMap": false, "sourceMap": false, "types": ["node"], "outDir": "." }';
    writeFileSync(join(project, "tsconfig.json"), `{ "extends": ${base}, "compilerOptions": ${options}, "files": ${files} }`);
    const compiled = await node([join(root, "node_modules/typescript/bin/tsc"), "-p", "."], project);
    expect(compiled.stdout).toBe("");
    expect(compiled.code).toBe(0);
    const run = async (script: string): Promise<unknown> => {
      const ended = await node(["--input-type=module", "-e", `${script}; process.exit(0);`], project);
      expect(ended.stderr).toBe("");
      return JSON.parse(ended.stdout);
    };
    expect(await run('const { testCheckout } = await import("./guide.js"); console.log(JSON.stringify(await testCheckout()))')).toEqual({
      result: { receipt: "r-2000", total: 2000 },
      calls: 1,
    });
    const [contract = "", door = ""] = blocks(read("docs/guide/contracts.md"), "yaml");
    writeFileSync(join(project, "import.yaml"), contract);
    writeFileSync(join(project, "door.yaml"), door);
    const imported =
      'const { importCustomers } = await import("./contracts.js"); console.log(JSON.stringify(await importCustomers("import.yaml")))';
    expect(await run(imported)).toMatchObject({ steps: { check: { good: true }, store: { written: 2 } }, skipped: [], errors: [] });
    const opened = `
      import { doors } from "./contracts.js";
      import { testOrchestrator } from "onex/testing";
      const flow = await doors();
      const run = await testOrchestrator({ nodes: [flow] }).start(flow, { hour: 9 });
      console.log(JSON.stringify(await run.result()))`;
    expect(await run(opened)).toBe("open");
  });

  test.each(["guide.md", ...pages.map(({ file }) => `guide/${file}`)])("in YAML of %s is a contract that fits its nodes", async (page) => {
    const project = folder();
    modules(project);
    const main = join(root, manifest.bin.onex ?? "");
    const nodes = page.replace(/^.*\//, "").replace(/\.md$/, ".ts");
    const contracts = blocks(read(`docs/${page}`), "yaml").map((block, i) => {
      writeFileSync(join(project, `${i + 1}.yaml`), block);
      return `${i + 1}.yaml`;
    });
    if (contracts.length === 0) return;
    const checked = await node([main, "check", ...contracts, "--nodes", nodes, "--json"], project);
    expect(JSON.parse(checked.stdout), checked.stderr).toEqual([]);
    expect(checked.code).toBe(0);
  });

  test.each([
    { page: "checking", files: ["pay"], outputs: [["plan"], ["graph"]] },
    { page: "changing", files: ["pay-1", "pay-2"], outputs: [["diff"]] },
  ])("what the commands of the page $page print stands in it", async ({ page, files, outputs }) => {
    const project = folder();
    modules(project);
    const text = read(`docs/guide/${page}.md`);
    const contracts = files.map((file, i) => {
      writeFileSync(join(project, `${file}.yaml`), blocks(text, "yaml")[i] ?? "");
      return `${file}.yaml`;
    });
    const printed = blocks(text, "text");
    expect(printed).toHaveLength(outputs.length);
    for (const [i, command] of outputs.entries()) {
      expect(text).toContain(`\`onex ${[...command, ...contracts].join(" ")} --nodes nodes.ts\``);
      const main = join(root, manifest.bin.onex ?? "");
      const ended = await node([main, ...command, ...contracts, "--nodes", `${page}.ts`], project);
      expect(ended.stdout).toBe(printed[i]);
    }
  });

  test("names every command, and no option that there is not", () => {
    const program = programOf("0.0.0", () => {});
    const names = [...program.helpInformation().matchAll(/^ {2}([a-z]+)(?:\|\w+)? .*$/gm)]
      .map(([, name = ""]) => name)
      .filter((name) => name !== "help");
    expect(names.length).toBeGreaterThan(10);
    const named = [readme, ...pages.map(({ text }) => text)].flatMap((text) => [...text.matchAll(/`onex (\w+)/g)].map(([, name]) => name));
    expect(named.filter((name) => !names.includes(name ?? ""))).toEqual([]);
    const table = [...guide.matchAll(/^\| `onex (\w+)[^|]*\|(.*)\|$/gm)].map(([, name = "", text = ""]) => ({ name, text }));
    expect(table.map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const { name, text } of table) {
      const help = program.commands.find((command) => command.name() === name)?.helpInformation() ?? "";
      const wrong = [...text.matchAll(/`(--[a-z-]+)/g)].map(([, option = ""]) => option).filter((option) => !help.includes(option));
      expect(wrong, name).toEqual([]);
    }
  });

  test("names every exit code of the command line", async () => {
    const { exit } = await import("../src/cli/exit.ts");
    const rows = [...guide.matchAll(/^\| (\d+(?:, \d+)*) +\| /gm)].flatMap(([, codes = ""]) => codes.split(", ").map(Number));
    expect(rows).toEqual(Object.values(exit));
  });
});

describe("the documents", () => {
  const documents = [
    ...readdirSync(root).filter((file) => file.endsWith(".md")),
    ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".md"))
      .map((file) => join("docs", file)),
  ];

  test.each(documents)("%s: links lead to files, and files that it names are there", (document) => {
    const text = read(document);
    const broken = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !existsSync(join(root, dirname(document), link)));
    const named = [...text.matchAll(/`((?:src|test|examples|bench|scripts|docs|lint)\/[\w./-]*)`/g)]
      .map(([, path = ""]) => path)
      // `NAME.ts` and `NNNN-name.md` stand for files to come.
      .filter((path) => !/NAME|NNNN/.test(path) && !existsSync(join(root, path)));
    expect([...broken, ...named]).toEqual([]);
  });

  /** As a page's headings are linked to. */
  const anchors = (text: string): string[] =>
    [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    );
  test.each(documents)("%s: links to headings lead to some", (document) => {
    const broken = [...read(document).matchAll(/\]\((?!https?:)([^)#]*)#([^)]*)\)/g)].filter(
      ([, file = "", anchor = ""]) => !anchors(read(file === "" ? document : join(dirname(document), file))).includes(anchor),
    );
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  test("the index of decisions names every one of them", () => {
    const index = read("docs/decisions/README.md");
    const records = readdirSync(join(root, "docs/decisions")).filter((file) => /^\d{4}-/.test(file));
    expect(records.length).toBeGreaterThan(0);
    expect(records.filter((record) => !index.includes(`](${record})`))).toEqual([]);
  });
});
