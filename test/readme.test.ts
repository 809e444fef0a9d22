/** The README does what it says: every command in it is run, and every file that the documents name is there. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (file: string) => readFileSync(join(root, file), "utf8");
const manifest = JSON.parse(read("package.json")) as { readonly scripts: Record<string, string>; readonly bin: Record<string, string> };
const readme = read("README.md");

/** Fenced blocks of a language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block = ""]) => block);
}
const commands = blocks(readme, "sh").flatMap((block) => block.trim().split("\n"));

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
/** A folder with the package and zod installed. */
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "onex-readme-"));
  folders.push(made);
  mkdirSync(join(made, "node_modules"));
  symlinkSync(root, join(made, "node_modules/onex"));
  symlinkSync(join(root, "node_modules/zod"), join(made, "node_modules/zod"));
  return made;
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

  test("compiles as one program, and its test passes", async () => {
    const project = folder();
    writeFileSync(join(project, "package.json"), '{ "type": "module" }');
    writeFileSync(join(project, "guide.ts"), blocks(guide, "ts").join("\n"));
    symlinkSync(join(root, "node_modules/@types"), join(project, "node_modules/@types"));
    const base = JSON.stringify(join(root, "tsconfig.base.json"));
    const options =
      '{ "composite": false, "declaration": false, "declarationMap": false, "sourceMap": false, "types": ["node"], "outDir": "." }';
    writeFileSync(join(project, "tsconfig.json"), `{ "extends": ${base}, "compilerOptions": ${options}, "files": ["guide.ts"] }`);
    const compiled = await node([join(root, "node_modules/typescript/bin/tsc"), "-p", "."], project);
    expect(compiled.stdout).toBe("");
    expect(compiled.code).toBe(0);
    const script =
      'const { testCheckout } = await import("./guide.js"); console.log(JSON.stringify(await testCheckout())); process.exit(0);';
    const ended = await node(["--input-type=module", "-e", script], project);
    expect(ended.stderr).toBe("");
    expect(JSON.parse(ended.stdout)).toEqual({ result: { receipt: "r-2000", total: 2000 }, calls: 1 });
  });

  test("in YAML is a contract that fits its nodes, with nothing to say about it", async () => {
    const project = folder();
    writeFileSync(join(project, "guide.ts"), blocks(guide, "ts").join("\n"));
    writeFileSync(join(project, "guide.yaml"), blocks(guide, "yaml").join("\n"));
    const main = join(root, manifest.bin.onex ?? "");
    const checked = await node([main, "check", "guide.yaml", "--nodes", "guide.ts", "--json"], project);
    expect(JSON.parse(checked.stdout)).toEqual([]);
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

  test("the index of decisions names every one of them", () => {
    const index = read("docs/decisions/README.md");
    const records = readdirSync(join(root, "docs/decisions")).filter((file) => /^\d{4}-/.test(file));
    expect(records.length).toBeGreaterThan(0);
    expect(records.filter((record) => !index.includes(`](${record})`))).toEqual([]);
  });
});
