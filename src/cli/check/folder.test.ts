import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { looksLikeContract, sourcesIn } from "./folder.ts";
import { findAll, sourcesOf } from "./source.ts";

const root = mkdtempSync(join(tmpdir(), "onex-folder-"));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
function folder(files: Readonly<Record<string, string>>): string {
  const made = join(root, String(folders++));
  mkdirSync(made);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(made, name)), { recursive: true });
    writeFileSync(join(made, name), text);
  }
  return made;
}
const contract = "onex: v1\nkind: workflow\nname: one\nversion: 1.0.0\ntimeout: 1h\nsteps:\n  a: { set: 1 }\n";
const manifest = `onex: v1
kind: orchestrator
name: order
domain: shop
version: 1.0.0
entry: index.mjs
contracts: [contracts/order.contract.yaml]
`;
const listed = (made: string) => sourcesIn(made, undefined).map(({ kind, file }) => `${kind} ${relative(made, file)}`);

describe("a folder without a manifest", () => {
  test("has every YAML file that is a contract by its keys, and passes over the rest", () => {
    const made = folder({
      "b.yaml": contract,
      "a/x.yml": `# a comment\n"onex": v1\nkind: "workflow"\n`,
      "a/broken.yaml": "kind: workflow\nonex: v1\n\tx: [",
      "a/any.contract.yaml": "nothing: yet\n",
      "onex.yaml": "node_type: ORCHESTRATOR_GENERIC\nname: x\n",
      "graph.yaml": "workflow_coordination:\n  execution_mode: parallel\n",
      "compute.yaml": "node_type: COMPUTE_GENERIC\nname: x\n",
      "values.yaml": "values: { onex: v1, kind: workflow }\n",
      "in.subcontract.yaml": "onex: v1\nkind: input-subcontract\n",
      "notes.txt": contract,
      "node_modules/x/c.yaml": contract,
      ".hidden/c.yaml": contract,
    });
    symlinkSync(made, join(made, "loop"));
    expect(listed(made)).toEqual([
      "contract a/any.contract.yaml",
      "contract a/broken.yaml",
      "contract a/x.yml",
      "contract b.yaml",
      "contract graph.yaml",
      "contract onex.yaml",
    ]);
  });

  test("and without a contract is a mistake of typing", async () => {
    await expect(sourcesOf(folder({ "a.json": "{}" }), undefined)).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("there is nothing to check in"),
    });
  });
});

describe("a folder with manifests", () => {
  const files = { "index.mjs": "", "contracts/order.contract.yaml": contract };
  const under = (at: string) => Object.fromEntries(Object.entries(files).map(([name, text]) => [`${at}/${name}`, text]));

  test("has of each its module and its contracts, and no other file", () => {
    const own = folder({ "manifest.yaml": manifest, ...files, "other.yaml": contract });
    expect(listed(own)).toEqual(["module index.mjs", "contract contracts/order.contract.yaml", "manifest manifest.yaml"]);
    const project = folder({ "src/a/manifest.yaml": manifest, ...under("src/a"), "src/b/manifest.yaml": manifest, ...under("src/b") });
    expect(listed(project)).toEqual([
      "module src/a/index.mjs",
      "contract src/a/contracts/order.contract.yaml",
      "manifest src/a/manifest.yaml",
      "module src/b/index.mjs",
      "contract src/b/contracts/order.contract.yaml",
      "manifest src/b/manifest.yaml",
      "project ",
    ]);
  });

  test("tells every complaint of a manifest that cannot be read, and goes on with the others", async () => {
    const made = folder({ "a/manifest.yaml": "onex: v1\nkind: orchestra\n", "b/manifest.yaml": manifest, ...under("b") });
    expect(listed(made)).toEqual([
      "manifest a/manifest.yaml",
      "module b/index.mjs",
      "contract b/contracts/order.contract.yaml",
      "manifest b/manifest.yaml",
      "project ",
    ]);
    const found = await sourcesIn(made, undefined)[0]?.find();
    expect(found?.length).toBeGreaterThan(3);
    expect(found).toContainEqual(
      expect.objectContaining({ code: "PLAN_INVALID", file: join(made, "a/manifest.yaml"), line: 2, column: 7 }),
    );
  });

  test("a manifest itself means its folder; a subcontract is looked at with its node", async () => {
    const made = folder({ "manifest.yaml": manifest, ...files, "contracts/input.subcontract.yaml": "onex: v1\n" });
    expect((await sourcesOf(join(made, "manifest.yaml"), undefined)).map(({ kind }) => kind)).toEqual(["module", "contract", "manifest"]);
    await expect(sourcesOf(join(made, "contracts/input.subcontract.yaml"), undefined)).rejects.toThrow(
      "name the folder of the manifest.yaml",
    );
  });
});

describe("the findings of all sources", () => {
  test("are told once each, file by file, in the order of the text", async () => {
    const finding = (file: string, line: number) => ({ level: "error" as const, code: "X", message: "", file, line, column: 1 });
    const source = (...found: ReturnType<typeof finding>[]) => ({ kind: "contract" as const, file: "", find: async () => found });
    const all = await findAll([source(finding("b", 2), finding("b", 1)), source(finding("a", 1)), source(finding("b", 1))]);
    expect(all.map(({ file, line }) => `${file}:${line}`)).toEqual(["b:1", "b:2", "a:1"]);
  });

  test("of a contract that is no text at all is one of the file", async () => {
    const made = folder({ "a.contract.yaml": "" });
    writeFileSync(join(made, "a.contract.yaml"), Buffer.from([0xff, 0xfe, 0x00, 0xff]));
    const found = await findAll(sourcesIn(made, undefined));
    expect(found).toMatchObject([{ level: "error", code: "CONTRACT_INVALID", line: 0 }]);
  });
});

test("a contract is known by the keys at its left edge only", () => {
  expect(looksLikeContract(contract)).toBe(true);
  expect(looksLikeContract("onex: v1\nkind: orchestrator\n")).toBe(false);
  expect(looksLikeContract("  onex: v1\n  kind: workflow\n")).toBe(false);
  expect(looksLikeContract("")).toBe(false);
});
