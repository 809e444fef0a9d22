/** `onex doctor` as a process, and drift over modules that are really loaded. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function node(...args: readonly string[]): Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }> {
  const { ONEX_STORE: _store, FORCE_COLOR: _colour, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env: { ...env, NODE_ENV: "test" } }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });
}
function write(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

test("onex doctor: data on stdout, 0 where nothing is wrong, 70 where the store is", async () => {
  const well = await node(join(root, "dist/cli/main.js"), "doctor");
  expect(well).toMatchObject({ code: 0, stderr: "nothing is wrong\n" });
  expect(well.stdout).toMatch(/^installation\n {2}✓ onex .*\nconfiguration\n {2}✓ store .*sqlite:onex\.db \(the default\)\nstore\n/s);
  expect(readdirSync(folder)).toEqual([]);
  write("onex.db", "no database");
  const ill = await node(join(root, "dist/cli/main.js"), "doctor", "--json");
  expect(ill).toMatchObject({ code: 70, stderr: "1 wrong\n" });
  expect((JSON.parse(ill.stdout) as { level: string }[]).filter(({ level }) => level === "wrong")).toMatchObject([
    { area: "store", what: "file", found: expect.stringContaining("STORE_FOREIGN") },
  ]);
  expect(readdirSync(folder)).toEqual(["onex.db"]);
});

test("a node whose model was changed: found, written anew, and found no more", async () => {
  write("package.json", "{}");
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
  symlinkSync(root, join(folder, "node_modules/onex"));
  write(
    "n/manifest.yaml",
    "onex: v1\nkind: orchestrator\nname: order\ndomain: shop\nversion: 1.0.0\nentry: index.ts\ncontracts: [contracts/order.contract.yaml]\n",
  );
  write("n/models/input.ts", 'import { z } from "zod";\nexport const Input = z.object({ id: z.string() satisfies z.ZodType });\n');
  write(
    "n/index.ts",
    'import { now, workflow } from "onex";\nimport { Input } from "./models/input.ts";\nexport const order = workflow({ name: "order", input: Input }, function* () { return yield* now(); });\n',
  );
  write(
    "n/contracts/order.contract.yaml",
    "onex: v1\nkind: workflow\nname: order\nversion: 1.0.0\ninput: { $ref: ./input.subcontract.yaml#/schema }\nsteps: { a: { set: 1 } }\n",
  );
  write(
    "n/contracts/input.subcontract.yaml",
    "# kept\nonex: v1\nkind: input-subcontract\nname: order\nversion: 1.0.0\nmodel: ../models/input.ts#Input\nschema: { type: object, properties: { id: { type: number } }, required: [id] }\n",
  );
  const url = (path: string) => JSON.stringify(pathToFileURL(join(root, "dist/cli", path)).href);
  write(
    "look.mjs",
    `import { checkDrift, writeSubcontracts } from ${url("check/drift.js")};
import { manifestsAt } from ${url("load.js")};
const [manifest] = manifestsAt(".");
const first = await checkDrift(manifest);
const written = await writeSubcontracts(".");
console.log(JSON.stringify([first, written, await checkDrift(manifest)]));
`,
  );
  const { code, stdout, stderr } = await node("look.mjs");
  expect(stderr.replace(/^\(node:.*\n.*\n/gm, "")).toBe("");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    [expect.objectContaining({ code: "SUBCONTRACT_DRIFT", line: 7, column: 51 })],
    ["n/contracts/input.subcontract.yaml"],
    [],
  ]);
  expect(readFileSync(join(folder, "n/contracts/input.subcontract.yaml"), "utf8")).toMatch(
    /^# kept\nonex: v1\n[\s\S]*\n {6}type: string\n/,
  );
});
