/** The command in process, over folders of its own: flags, questions, projects, and what it leaves behind. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { make, type NewOptions } from "../commands/new.ts";
import { manifestsUnder } from "../manifest.ts";
import { render } from "./render.ts";
import { valuesOf } from "./values.ts";

let folder: string;
let stdout = "";
let stderr = "";
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "onex-make-")));
  stdout = "";
  stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** With no terminal to ask at. */
const made = (kind: string | undefined, name: string | undefined, options: NewOptions = {}, cwd = folder) =>
  make(kind, name, options, { cwd, terminals: undefined });
const files = (at = folder): string[] =>
  readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(at.length + 1))
    .sort();
/** A project that was not made by the command. */
const project = (name = "@acme/my-shop"): void =>
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, dependencies: { onex: "*" } }));
const node = { domain: "pay-roll", name: "year-end" };
const nodeAt = "src/my_shop/nodes/node_pay_roll_year_end_compute";

describe("a project", () => {
  test("is made in a folder of its name, whose files are ready", async () => {
    expect(await made("project", "my-shop")).toBe(0);
    expect(files()).toEqual(
      [".gitignore", "README.md", "package.json", "tsconfig.json", "vitest.config.ts"].map((file) => `my-shop/${file}`),
    );
    const text = readFileSync(join(folder, "my-shop/package.json"), "utf8");
    expect(JSON.parse(text)).toMatchObject({ name: "my-shop", private: true, type: "module" });
    expect(stdout).toBe("my-shop/\n  .gitignore\n  README.md\n  package.json\n  tsconfig.json\n  vitest.config.ts\n");
    expect(stderr).toContain("next:\n  cd my-shop\n  npm install\n  npx onex new orchestrator");
  });

  test("is what nodes are then made in, also from below", async () => {
    await made("project", "my-shop");
    mkdirSync(join(folder, "my-shop/src/deep"), { recursive: true });
    await made("compute", undefined, node, join(folder, "my-shop/src/deep"));
    expect(files(join(folder, "my-shop/src"))).toContain("my_shop/nodes/node_pay_roll_year_end_compute/v1_0_0/node.ts");
    expect(stdout).toContain("\n../../\n  src/my_shop/nodes/node_pay_roll_year_end_compute/v1_0_0/\n    models/\n");
    expect(stderr).toContain("npx onex check ../my_shop/nodes/");
  });

  test("fits an empty folder and a fresh repository, and no other without force", async () => {
    mkdirSync(join(folder, "my-shop/.git"), { recursive: true });
    await made("project", "my-shop");
    await expect(made("project", "my-shop")).rejects.toMatchObject({ code: "FILE_EXISTS", message: expect.stringContaining("README.md") });
    writeFileSync(join(folder, "my-shop/mine.ts"), "mine");
    writeFileSync(join(folder, "my-shop/README.md"), "mine");
    // What --force would cost is said before.
    await expect(made("project", "my-shop")).rejects.toThrow(/--force adds the project to it, and overwrites .*my-shop\/README\.md/);
    await made("project", "my-shop", { force: true });
    expect(stderr).toContain("overwritten: my-shop/README.md\n");
    expect(readFileSync(join(folder, "my-shop/mine.ts"), "utf8")).toBe("mine");
  });

  test("goes where --dir says, and nowhere else", async () => {
    mkdirSync(join(folder, "work"));
    await made("project", "my-shop", { dir: "work" });
    expect(files(join(folder, "work"))).toContain("my-shop/package.json");
    await expect(made("project", "other", { dir: "wrok" })).rejects.toMatchObject({ code: "FILE_MISSING" });
  });

  test("a link in its place is refused", async () => {
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync("elsewhere", join(folder, "my-shop"));
    await expect(made("project", "my-shop")).rejects.toMatchObject({ code: "PATH_REFUSED" });
    expect(files(join(folder, "elsewhere"))).toEqual([]);
  });
});

describe("a node", () => {
  test.each(["compute", "effect", "reducer"])("%s: what is made has no placeholder left, and its manifest is one", async (kind) => {
    project();
    expect(await made(kind, undefined, { ...node, json: true })).toBe(0);
    const paths = JSON.parse(stdout) as string[];
    expect([...paths, "package.json"].sort()).toEqual(files());
    for (const path of paths) expect(readFileSync(join(folder, path), "utf8"), path).not.toMatch(/\{\{|\}\}(?! )|undefined/);
    expect(manifestsUnder(folder)).toMatchObject([{ kind, name: "year-end", domain: "pay-roll", version: "1.0.0" }]);
  });

  test("stands beside its other versions", async () => {
    project();
    for (const version of ["1.0.0", "1.1.0"]) await made("compute", "year-end", { domain: "pay-roll", version });
    expect(manifestsUnder(folder).map(({ version }) => version)).toEqual(["1.0.0", "1.1.0"]);
    await expect(made("compute", undefined, node)).rejects.toMatchObject({
      code: "FILE_EXISTS",
      message: expect.stringContaining("`onex new compute year-end --domain pay-roll --version 1.2.0` makes another version"),
    });
    expect(stderr).toContain('import { yearEnd } from "../../../node_pay_roll_year_end_compute/v1_0_0/index.ts", then yield* yearEnd(…)');
  });

  test("an orchestrator says how its first run is begun, with an input that its contract has as an example", async () => {
    project();
    await made("orchestrator", undefined, node);
    const [, at = "", input = ""] = /npx onex run (\S+) --input '(.*)'/.exec(stderr) ?? [];
    const examples = readFileSync(join(folder, at, "contracts/input.subcontract.yaml"), "utf8");
    expect((parse(examples) as { examples: readonly { data: unknown }[] }).examples[0]?.data).toEqual(JSON.parse(input));
  });

  test("cannot have the name of another, nor its folder", async () => {
    project();
    await made("compute", undefined, node);
    const before = files();
    for (const [kind, domain] of [
      ["effect", "pay-roll"],
      ["compute", "shop"],
    ] as const)
      await expect(made(kind, "year-end", { domain, version: "2.0.0", force: true })).rejects.toMatchObject({ code: "NAME_TAKEN" });
    // node_pay_roll_year_end_compute too.
    await expect(made("compute", "roll-year-end", { domain: "pay", force: true })).rejects.toMatchObject({ code: "NAME_TAKEN" });
    expect(files()).toEqual(before);
  });

  test("is overwritten by force alone, and then in its own files only", async () => {
    project();
    await made("compute", undefined, node);
    writeFileSync(join(folder, nodeAt, "v1_0_0/node.ts"), "mine");
    writeFileSync(join(folder, nodeAt, "v1_0_0/mine.ts"), "mine");
    await made("compute", undefined, { ...node, force: true });
    expect(stderr).toContain(`overwritten: ${nodeAt}/v1_0_0/node.ts\n`);
    expect(readFileSync(join(folder, nodeAt, "v1_0_0/node.ts"), "utf8")).toContain("compute(");
    expect(readFileSync(join(folder, nodeAt, "v1_0_0/mine.ts"), "utf8")).toBe("mine");
  });

  test("is not made through a link, wherever it stands", async () => {
    project();
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync("elsewhere", join(folder, "src"));
    await expect(made("compute", undefined, { ...node, force: true })).rejects.toMatchObject({ code: "PATH_REFUSED" });
    // Nor is a file where a folder must be.
    rmSync(join(folder, "src"));
    writeFileSync(join(folder, "src"), "mine");
    await expect(made("compute", undefined, node)).rejects.toMatchObject({ code: "PATH_REFUSED" });
    expect(files()).toEqual(["package.json", "src"]);
  });

  test("of a dry run nothing is written", async () => {
    project();
    expect(await made("compute", undefined, { ...node, dryRun: true })).toBe(0);
    expect(stdout).toBe(
      `${nodeAt}/v1_0_0/\n  models/\n    input.ts\n    output.ts\n  index.ts\n  manifest.yaml\n  node.ts\n${nodeAt.replace("src", "tests")}/v1_0_0/\n  node.test.ts\n`,
    );
    expect(stderr).toBe("dry run: nothing was written\n");
    expect(files()).toEqual(["package.json"]);
  });

  test("needs a project: a package.json that depends on onex, of a name that a folder can have", async () => {
    const wanted = () => made("compute", undefined, node);
    await expect(wanted()).rejects.toMatchObject({ code: "PROJECT_MISSING", message: expect.stringContaining("onex new project NAME") });
    writeFileSync(join(folder, "package.json"), '{ "name": "my-shop", "dependencies": { "onexx": "1" } }');
    await expect(wanted()).rejects.toMatchObject({ code: "PROJECT_MISSING" });
    for (const odd of ["null", "[]", '"onex"', '{ "dependencies": "onex" }', '{ "devDependencies": ["onex"] }']) {
      writeFileSync(join(folder, "package.json"), odd);
      await expect(wanted(), odd).rejects.toMatchObject({ code: "PROJECT_MISSING" });
    }
    writeFileSync(join(folder, "package.json"), "{");
    await expect(wanted()).rejects.toMatchObject({
      code: "PROJECT_MISSING",
      message: expect.stringContaining("package.json cannot be read"),
    });
    project("../../evil");
    await expect(wanted()).rejects.toMatchObject({ code: "NAME_REFUSED" });
    project("My.Shop");
    await expect(wanted()).rejects.toMatchObject({ code: "NAME_REFUSED", message: expect.stringContaining('Did you mean "my-shop"?') });
    expect(files()).toEqual(["package.json"]);
  });
});

test.each(["{{version}}", "$&", "$1", "\\n"])("what stands for a placeholder is data: %s", (text) => {
  const values = { ...valuesOf({ project: "p", domain: "d", name: "n", version: "1.0.0" }, "0.1.0"), name: text };
  const manifest = render("compute", values).find(({ path }) => path.endsWith("manifest.yaml"));
  expect(manifest?.text).toContain(`\nname: ${text}\n`);
});

describe("without a terminal", () => {
  test.each([
    { typed: [undefined, undefined, {}], says: "onex new project|orchestrator|compute|effect|reducer" },
    { typed: ["project", undefined, {}], says: "onex new project NAME" },
    { typed: ["compute", undefined, {}], says: "--domain NAME and --name NAME are missing" },
    { typed: ["compute", "price", {}], says: "--domain NAME is missing" },
    { typed: ["compute", undefined, { domain: "shop" }], says: "--name NAME is missing" },
    { typed: ["efect", undefined, {}], says: 'Did you mean "effect"?' },
    { typed: ["project", "my-shop", { domain: "shop" }], says: "has no --domain" },
    { typed: ["order", "orchestrator", {}], says: "first the kind, then the name: onex new orchestrator order" },
    { typed: ["compute", "price", { name: "prize", domain: "shop" }], says: "two names" },
  ] as const)("$says", async ({ typed: [kind, name, options], says }) => {
    project();
    await expect(made(kind, name, options)).rejects.toMatchObject({ code: "USAGE", message: expect.stringContaining(says) });
    expect(files()).toEqual(["package.json"]);
  });
});

describe("at a terminal", () => {
  /** Answers each question when it is asked, then presses what is left of the keys. */
  function terminal(answers: Readonly<Record<string, readonly string[]>>) {
    const input = new PassThrough();
    const output = new PassThrough();
    let shown = "";
    let heard = 0;
    const left = Object.entries(answers).flatMap(([question, typed]) => typed.map((keys) => ({ question, keys })));
    output.on("data", (chunk: Buffer) => {
      shown += chunk.toString();
      const next = left[0];
      if (next === undefined || !new RegExp(`${next.question}[^\\n]*: $`).test(stripVTControlCharacters(shown.slice(heard)))) return;
      heard = shown.length;
      left.shift();
      input.write(next.keys);
    });
    return { terminals: { input, output }, left, shown: () => shown };
  }

  test("asks for what is missing, again when an answer is no good, and offers a better one", async () => {
    project();
    const { terminals, left, shown } = terminal({
      domain: ["Pay Roll\r", "\r"],
      "name of the compute": ["../x\r", "year-end\r"],
      version: ["\r"],
    });
    expect(await make("compute", undefined, {}, { cwd: folder, terminals })).toBe(0);
    expect(left).toEqual([]);
    expect(shown()).toContain('the name "../x" has "." in it');
    expect(manifestsUnder(folder)).toMatchObject([{ kind: "compute", name: "year-end", domain: "pay-roll", version: "1.0.0" }]);
  });

  test("offers what it knows: the kind, and the one domain of the project", async () => {
    project();
    await made("compute", undefined, node);
    const { terminals, left, shown } = terminal({
      "what to make": ["compute\r"],
      domain: ["\r"],
      "name of the compute": ["bonus\r"],
      version: ["2.0.0\r"],
    });
    expect(await make(undefined, undefined, {}, { cwd: folder, terminals })).toBe(0);
    expect(left).toEqual([]);
    expect(shown()).toContain("(orchestrator): ");
    expect(manifestsUnder(folder)).toMatchObject([{ name: "bonus", domain: "pay-roll", version: "2.0.0" }, {}]);
  });

  test("outside of a project offers to make one, and nothing else", async () => {
    const { terminals, shown } = terminal({ "what to make": ["effect\r", "\r"], "name of the project": ["my-shop\r"] });
    expect(await make(undefined, undefined, {}, { cwd: folder, terminals })).toBe(0);
    expect(shown()).toContain("is in no project");
    expect(files()).toContain("my-shop/package.json");
  });

  test.each([
    { key: "Ctrl-C", typed: "\x03" },
    { key: "Ctrl-D", typed: "\x04" },
    { key: "Ctrl-C in the middle of a word", typed: "sho\x03" },
  ])("$key ends it, and nothing is written", async ({ typed }) => {
    project();
    const { terminals } = terminal({ domain: [typed] });
    expect(await make("compute", undefined, {}, { cwd: folder, terminals })).toBe(130);
    expect(stderr).toContain("stopped; nothing was written");
    expect(files()).toEqual(["package.json"]);
  });

  test("asks nothing when all is said, and with --yes never", async () => {
    project();
    const { terminals, shown } = terminal({});
    expect(await make("compute", undefined, node, { cwd: folder, terminals })).toBe(0);
    await expect(make("effect", undefined, { yes: true }, { cwd: folder, terminals })).rejects.toMatchObject({ code: "USAGE" });
    await expect(make("effect", undefined, { domain: "A B" }, { cwd: folder, terminals })).rejects.toMatchObject({ code: "NAME_REFUSED" });
    expect(shown()).toBe("");
  });
});
