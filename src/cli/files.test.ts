import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readable } from "./files.ts";

const root = mkdtempSync(join(tmpdir(), "onex-files-"));
afterAll(() => rmSync(root, { recursive: true }));

test("what may not be read is named, with what to do", () => {
  const file = join(root, "a.yaml");
  writeFileSync(file, "");
  expect(() => readable(file, () => readdirSync(file))).toThrow(`${file} cannot be read`);
  expect(() => readable(file, () => readdirSync(file))).toThrow(expect.objectContaining({ code: "CONTRACT_NOT_FOUND" }));
});
