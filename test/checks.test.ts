/**
 * docs/checks.md has a section for every finding that the sources can produce, and each says the truth: its wrong snippet
 * has the finding, its right one has none at all.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { checkContract } from "../src/cli/check/contract.ts";
import { sourcesOfNode } from "../src/cli/check/folder.ts";
import { explain, pageOf, pages } from "../src/cli/check/pages.ts";
import { Registry } from "../src/node/registry.ts";
import type { Finding } from "../src/plan/finding.ts";
import { checkFile } from "../src/plan/load.ts";
import * as nodes from "./check/nodes.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
mkdirSync(join(root, ".tmp"), { recursive: true });
// Inside the package, so that a module can import "onex".
const folder = mkdtempSync(join(root, ".tmp/checks-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Code → the sources that can say it: what is told to `Findings` and its like, and what the checks of the CLI make themselves. */
function findingCodes(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
    if (!/^(?:plan[\\/].*|cli[\\/]check[\\/].*|cli[\\/]manifest)\.ts$/.test(file) || file.endsWith(".test.ts")) continue;
    const source = readFileSync(join(root, "src", file), "utf8").replaceAll(/new OnexError\(\s*"[A-Z_0-9]+"/g, "");
    const patterns = [/(?:[.#](?:error|warn|add|complain)|\bCelMistake)\(\s*"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"/g];
    if (/^cli[\\/]check/.test(file)) patterns.push(/"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"/g, /"(NONDETERMINISTIC)"/g);
    for (const pattern of patterns)
      for (const [, code = ""] of source.matchAll(pattern)) found.set(code, [...new Set([...(found.get(code) ?? []), file])]);
  }
  // What is told in another way stands in the tables of docs/errors.md.
  const tables = readFileSync(join(root, "docs/errors.md"), "utf8").split(/^## /m);
  for (const table of tables.filter((text) => text.startsWith("Findings")))
    for (const [, code = ""] of table.matchAll(/^\| `([A-Z0-9_]+)`/gm)) if (!found.has(code)) found.set(code, ["docs/errors.md"]);
  return found;
}

interface Snippet {
  readonly code: string;
  readonly language: string;
  readonly kind: string;
  readonly text: string;
}
const snippets: readonly Snippet[] = [...pages()].flatMap(([code, page]) =>
  [...page.matchAll(/^```(\w+) (wrong|right)\n([\s\S]*?)^```$/gm)].map(([, language = "", kind = "", text = ""]) => ({
    code,
    language,
    kind,
    text,
  })),
);
const head = /^```yaml\n([\s\S]*?)^```$/m.exec(readFileSync(join(root, "docs/checks.md"), "utf8"))?.[1] ?? "";
const registry = new Registry(Object.values(nodes));

/** What the command line says about all modules of the page: they are loaded by the hooks of a process of its own. */
let modules: Promise<readonly Finding[]> | undefined;
function checkModules(): Promise<readonly Finding[]> {
  const files = snippets.filter(({ language }) => language === "ts").map(write);
  const main = join(root, "dist/cli/main.js");
  modules ??= new Promise((resolve) => {
    execFile(process.execPath, [main, "check", ...files, "--json"], { cwd: folder }, (_, stdout) => resolve(JSON.parse(stdout)));
  });
  return modules;
}

function write({ code, language, kind, text }: Snippet): string {
  const name = `${code.toLowerCase()}-${kind}.${language}`;
  writeFileSync(join(folder, name), language !== "yaml" || /^(?:onex|\w+_\w+):/m.test(text) ? text : head + text);
  return name;
}

async function findings(snippet: Snippet): Promise<readonly Finding[]> {
  const { code, language, text } = snippet;
  const name = write(snippet);
  if (language === "ts") return (await checkModules()).filter((finding) => finding.file === name);
  const file = join(folder, name);
  if (/^domain:/m.test(text)) return findingsOfManifest(text);
  // The contracts of ONEX name nodes that are not there.
  if (/^node_type:/m.test(text)) return checkContract(file, undefined);
  return checkFile(file, registry, code === "CONFIG_INVALID" ? { config: { region: "eu" } } : {});
}

/** Of the manifest alone, not of what it names. */
async function findingsOfManifest(text: string): Promise<readonly Finding[]> {
  const node = mkdtempSync(join(folder, "node-"));
  writeFileSync(join(node, "manifest.yaml"), text);
  writeFileSync(join(node, "index.ts"), "");
  const [first] = sourcesOfNode(node, undefined);
  return first?.kind === "manifest" ? first.find() : [];
}

describe("docs/checks.md", () => {
  test("has a section for every finding of the sources, and no other", () => {
    const codes = findingCodes();
    expect(codes.size, "the scanner finds codes").toBeGreaterThan(30);
    const missing = [...codes].filter(([code]) => !pages().has(code)).map(([code, files]) => `${code} (${files.join(", ")})`);
    expect(missing, "add a section to docs/checks.md").toEqual([]);
    expect([...pages().keys()].filter((code) => !codes.has(code), "take the section out of docs/checks.md")).toEqual([]);
  });

  test("is in the order of the alphabet, and says of each when it may be left", () => {
    expect([...pages().keys()]).toEqual([...pages().keys()].sort());
    for (const [code, page] of pages()) {
      // What is found between the files of a node has no snippet of one.
      if (/^(?:SUBCONTRACT|CONTRACT|EXAMPLE)_|^MANIFEST_MISMATCH$/.test(code)) continue;
      const own = snippets.filter((snippet) => snippet.code === code).map(({ kind }) => kind);
      expect(own, code).toEqual(["wrong", "right"]);
      expect(page.slice(page.lastIndexOf("```") + 3).trim(), code).not.toBe("");
    }
  });

  test.each(snippets.filter(({ kind }) => kind === "wrong"))("shows a contract that has $code", async (snippet) => {
    expect((await findings(snippet)).map(({ code }) => code)).toContain(snippet.code);
  });

  test.each(snippets.filter(({ kind }) => kind === "right"))("shows one without $code, and without any other finding", async (snippet) => {
    expect((await findings(snippet)).map(({ code, line, message }) => `${line} ${code} ${message}`)).toEqual([]);
  });
});

describe("the page of a code", () => {
  test("is its section, by the anchor that GitHub makes of its heading; else the table of all codes", () => {
    expect(pageOf("STEP_CYCLE")).toBe("docs/checks.md#step_cycle");
    expect(pageOf("MODULE_INVALID")).toBe("docs/errors.md");
  });

  test("is printed without its fences", () => {
    const { title, text } = explain("step_cycle");
    expect(title).toBe("STEP_CYCLE");
    expect(text).toContain('wrong:\n\n    steps:\n      first: { set: "${ second }" }');
    expect(text).not.toContain("```");
    expect(text).not.toContain("## ");
  });

  test("of an error that is no finding is its row", () => {
    expect(explain("RUN_UNKNOWN").text).toMatch(/^There is no run with this id.*\n\nCause: .*\nCure: /);
  });

  test("of a code that there is not names the nearest", () => {
    expect(() => explain("STEP_CYCEL")).toThrow('there is no code "STEP_CYCEL". Did you mean "STEP_CYCLE"?');
  });
});
