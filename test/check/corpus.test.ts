/**
 * What `onex check` says, and where: contracts that are wrong, each with the findings that it must have, at line and
 * column, and contracts that are right, with none. The expectations stand in the contract, as comments at its end:
 *
 *     # expect error STEP_CYCLE 12:5
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Registry } from "../../src/node/registry.ts";
import { checkFile } from "../../src/plan/load.ts";
import * as nodes from "./nodes.ts";

const registry = new Registry(Object.values(nodes));

function contracts(folder: string): { readonly name: string; readonly file: string; readonly expected: readonly string[] }[] {
  const path = join(import.meta.dirname, folder);
  return readdirSync(path)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => {
      const file = join(path, name);
      const expected = [...readFileSync(file, "utf8").matchAll(/^# expect (.+)$/gm)].map(([, line = ""]) => line);
      return { name, file, expected };
    });
}

async function found(file: string): Promise<readonly string[]> {
  const findings = await checkFile(file, registry);
  return findings.map(({ level, code, line, column }) => `${level} ${code} ${line}:${column}`);
}

describe("a wrong contract", () => {
  test.each(contracts("wrong"))("$name", async ({ file, expected }) => {
    expect(expected.length).toBeGreaterThan(0);
    expect(await found(file)).toEqual(expected);
  });
});

describe("a right contract", () => {
  test.each(contracts("right"))("$name", async ({ file, expected }) => {
    expect(expected).toEqual([]);
    expect(await found(file)).toEqual([]);
  });
});
