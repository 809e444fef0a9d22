import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OnexError } from "../core/failure.ts";
import { inputOption, inputSubcontract, withExample } from "./example-input.ts";
import { render } from "./new/render.ts";
import { valuesOf } from "./new/values.ts";

const files = render("orchestrator", valuesOf({ project: "shop", domain: "pay-roll", name: "it", version: "1.0.0" }, "0.1.0"));
const text = files.find(({ path }) => path.endsWith(inputSubcontract))?.text ?? "";
const option = `--input '{"id":"it-1","items":[{"sku":"tea","quantity":2,"priceCents":450}]}'`;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-example-"));
  for (const { path, text } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("the first example of a subcontract, as a shell takes it", () => {
  expect(inputOption(text)).toBe(option);
  expect(inputOption(text.replace("id: it-1", 'id: "it\'s"'))).toBe(option.replace("it-1", "it'\\''s"));
});

test("none of a subcontract without examples, or one that cannot be read", () => {
  expect(inputOption(text.replace(/^examples:[\s\S]*/m, ""))).toBeUndefined();
  expect(inputOption("- 1")).toBeUndefined();
});

test("an input that does not fit a generated node is answered with one that does", () => {
  const node = join(folder, "src/shop/nodes/node_pay_roll_it_orchestrator/v1_0_0");
  const wrong = new OnexError("INPUT_INVALID", "id is missing");
  for (const target of [node, join(node, "index.ts"), join(node, "contracts/it.contract.yaml"), `${join(node, "index.ts")}#it`])
    expect((withExample(wrong, target) as OnexError).message, target).toBe(`id is missing\n  such as ${option}`);
  // A folder of several nodes, a file outside, another mistake.
  for (const target of [folder, join(folder, "other.ts")]) expect(withExample(wrong, target)).toBe(wrong);
  const other = new OnexError("USAGE", "other");
  expect(withExample(other, node)).toBe(other);
});
