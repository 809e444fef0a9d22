import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { definitionsIn } from "./where.ts";

const root = mkdtempSync(join(tmpdir(), "onex-where-"));
afterAll(() => rmSync(root, { recursive: true }));

test("a node is found where it is defined, through imports that go round, and nowhere else", () => {
  mkdirSync(join(root, "nodes"));
  writeFileSync(join(root, "index.ts"), `export * from "./nodes/charge.ts";\nimport { z } from "zod";\nimport "./gone.ts";\n`);
  writeFileSync(
    join(root, "nodes/charge.ts"),
    `import "../index.ts";\nconst late = await import("./price.ts");\n  effect({ name: "charge" });\n`,
  );
  writeFileSync(join(root, "nodes/price.ts"), `compute({\n  name: 'price',\n});\nconst filename: "other";\n`);
  const where = definitionsIn(join(root, "index.ts"));
  expect(where("charge")).toEqual({ file: join(root, "nodes/charge.ts"), line: 3, column: 12 });
  expect(where("price")).toEqual({ file: join(root, "nodes/price.ts"), line: 2, column: 3 });
  expect(where("other")).toEqual({ file: join(root, "index.ts"), line: 0, column: 0 });
});
