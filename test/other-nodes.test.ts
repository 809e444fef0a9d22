/** What `onex check` says of nodes that stand beside each other. Built code: modules of a user are loaded. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sourcesIn } from "../dist/cli/check/folder.js";
import { findAll } from "../dist/cli/check/source.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "onex-others-"));
  write("package.json", "{}");
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
const definition = (kind: string, name: string) =>
  `Object.assign(() => {}, { contract: { kind: "${kind}", name: "${name}", version: "1.0.0" } })`;

/** A generated node, as far as it matters here. */
function node(at: string, kind: string, name: string, source: string, contract?: string): void {
  const contracts = contract === undefined ? "" : "contracts: [it.contract.yaml]\n";
  write(`${at}/manifest.yaml`, `onex: v1\nkind: ${kind}\nname: ${name}\ndomain: shop\nversion: 1.0.0\nentry: index.mjs\n${contracts}`);
  write(`${at}/index.mjs`, source);
  if (contract !== undefined) write(`${at}/it.contract.yaml`, contract);
}
const calls = (name: string) =>
  `onex: v1\nkind: workflow\nname: order\nversion: 1.0.0\ntimeout: 1h\nsteps:\n  a: { compute: ${name}, with: {} }\n`;
const found = async (code: string) =>
  (await findAll(sourcesIn(join(root, "src"), undefined))).filter((finding) => finding.code === code).map(({ message }) => message);

test("a contract that misses a node is told who has it, and where its own nodes come from", async () => {
  node("src/discount", "compute", "discount", `export const discount = ${definition("compute", "discount")};`);
  node("src/order", "orchestrator", "order", `export const price = ${definition("compute", "price")};`, calls("discount@1.0.0"));
  expect(await found("NODE_UNKNOWN")).toEqual([
    expect.stringMatching(
      /^there is no compute "discount@1\.0\.0"\. \S*src\/discount has it: import it from there, .* of \S*src\/order\/index\.mjs$/,
    ),
  ]);
  write("src/order/it.contract.yaml", calls("nobody"));
  expect(await found("NODE_UNKNOWN")).toEqual([
    expect.stringMatching(/"nobody"\. There are price\. Nodes of this contract are those that \S*src\/order\/index\.mjs exports$/),
  ]);
});

test("two nodes of one name and version are found, each pair of folders once; one that is imported is no second", async () => {
  node("src/price", "compute", "price", `export const price = ${definition("compute", "price")};`);
  node("src/order", "orchestrator", "order", 'export { price } from "../price/index.mjs";');
  expect(await found("NODE_DUPLICATE")).toEqual([]);
  const both = `export const nodes = [${definition("compute", "price")}, ${definition("effect", "charge")}];`;
  node("src/sale/v1", "orchestrator", "sale", both);
  node("src/sale/v2", "orchestrator", "sale", both);
  expect(await found("NODE_DUPLICATE")).toEqual([
    expect.stringContaining("it defines price@1.0.0, and so does ../../order:"),
    expect.stringMatching(/price@1\.0\.0, and so does \.\.\/\.\.\/order:/),
    expect.stringContaining("it defines charge@1.0.0, and so does ../v1:"),
  ]);
});

test("what does not load is a finding, told once, and the rest is looked at", async () => {
  node("src/order", "orchestrator", "order", 'import "./gone.mjs";', calls("price"));
  node("src/price", "compute", "price", "export const x = 1;");
  const all = await findAll(sourcesIn(join(root, "src"), undefined));
  expect(all.filter(({ code }) => code === "MODULE_INVALID")).toHaveLength(1);
  expect(all.filter(({ code }) => code === "MODULE_EMPTY")).toHaveLength(1);
});
