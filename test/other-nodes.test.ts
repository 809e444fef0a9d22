/** What `onex check` says of nodes that stand beside each other. Built code: modules of a user are loaded. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sourcesIn } from "../dist/cli/check/folder.js";
import { findAll, sourcesOf } from "../dist/cli/check/source.js";
import { unseenLines } from "../dist/cli/check/unseen.js";
import { contractsOf } from "../dist/cli/contracts.js";

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

const elsewhere = (names: readonly string[], url = "http://far:3400/nodes") =>
  `export const endpoints = ${JSON.stringify(Object.fromEntries(names.map((name) => [name, url])))};`;

test("a node that only endpoints name is there, and it is said what is not known of it", async () => {
  const price = `export const price = ${definition("compute", "price")};`;
  node("src/order", "orchestrator", "order", `${price}\n${elsewhere(["discount", "other"])}`, calls("discount@1"));
  expect(await found("NODE_UNKNOWN")).toEqual([]);
  const [contract] = sourcesIn(join(root, "src"), undefined).filter(({ kind }) => kind === "contract");
  await contract?.find();
  expect([...(contract?.unseen ?? [])].map(([name, { href }]) => [name, href])).toEqual([["discount", "http://far:3400/nodes"]]);
  expect(unseenLines(contract?.unseen ?? new Map()).join("\n")).toMatch(
    /^a node lives elsewhere.*discount at http:\/\/far:3400\/nodes.*not checked/s,
  );
  const [{ nodes, opened } = never()] = await contractsOf(join(root, "src/order"), undefined);
  expect([opened.findings, [...(nodes?.unseen().keys() ?? [])]]).toEqual([[], ["discount"]]);
  // A slip in a name is still one.
  write("src/order/it.contract.yaml", calls("discuont"));
  expect(await found("NODE_UNKNOWN")).toEqual([expect.stringContaining('"discuont". Did you mean "discount"?')]);
});

test("a module may name places alone; what is no URL, and what cannot live elsewhere, are findings", async () => {
  write("places.mjs", elsewhere(["price"]));
  const check = async (file: string) =>
    (await findAll(await sourcesOf(join(root, file), undefined))).map(({ code, message }) => `${code} ${message}`);
  expect(await check("places.mjs")).toEqual([]);
  write("bad.mjs", elsewhere(["price"], "far"));
  expect(await check("bad.mjs")).toEqual([expect.stringMatching(/^MODULE_INVALID export endpoints: price: "far" is no URL/)]);
  write("state.mjs", `export const stock = ${definition("reducer", "stock")};\n${elsewhere(["stock"])}`);
  expect(await check("state.mjs")).toEqual([expect.stringMatching(/^REMOTE_REFUSED endpoints: stock is a reducer/)]);
  node("src/order", "orchestrator", "order", elsewhere(["discount"], "far"), calls("discount"));
  expect((await found("MODULE_INVALID")).length).toBe(1);
  expect(await found("NODE_UNKNOWN")).toEqual([]);
});

function never(): never {
  throw new Error("there is no contract");
}
