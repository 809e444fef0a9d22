/** `onex check` and `onex schema` as they are typed: exit codes, what goes to stdout, and what is said beside it. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CheckOptions, check } from "../src/cli/commands/check.ts";
import { schema } from "../src/cli/commands/schema.ts";
import { exitOf } from "../src/cli/exit.ts";
import { schemaText } from "../src/cli/schema/documents.ts";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "onex-check-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
function onex(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, env: { PATH: process.env.PATH } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

const head = (name: string) => `onex: v1\nkind: workflow\nname: ${name}\nversion: 1.0.0\n`;
beforeAll(() => {
  const files = {
    "flows/cycle.yaml": `${head("cycle")}timeout: 1h\nsteps:\n  first: { set: "\${ second }" }\n  second: { set: "\${ first }" }\n`,
    "flows/more/slip.yaml": `${head("slip")}timeout: 1h\nsteps:\n\tone: 1\n`,
    "flows/notes.yaml": "title: no contract\n",
    "warned.yaml": `${head("warned")}steps:\n  one: { set: 1 }\n`,
    "fine.yaml": `${head("fine")}timeout: 1h\nsteps:\n  one: { set: 1 }\n`,
    "secret.yaml": `${head("secret")}timeout: 1h\nsteps:\n  one: { set: { password: hunter22, of: "\${ nobody }" } }\n`,
    "node/manifest.yaml":
      "onex: v1\nkind: orchestrator\nname: order\ndomain: shop\nversion: 1.0.0\nentry: index.mjs\ncontracts: [order.yaml, other.yaml]\n",
    "node/index.mjs": "export const broken = ;\n",
    "node/order.yaml": `${head("order")}timeout: 1h\nsteps:\n  one: { sett: 1 }\n`,
    "node/other.yaml": `${head("other")}timeout: 1h\nsteps:\n  one: { compute: not-there }\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
});

describe.concurrent("onex check", () => {
  test("of a folder and a file tells all findings of all of them, with lines and pages", async () => {
    const { code, stdout, stderr } = await onex("check", "flows", "warned.yaml");
    expect(stdout).toBe(
      `flows/cycle.yaml:7:3: error STEP_CYCLE: these steps wait for each other: first → second → first (each waits for the next)
  7 │   first: { set: "\${ second }" }
    │   ^
  see docs/checks.md#step_cycle

flows/more/slip.yaml:7:1: error YAML_INVALID: a tab is used as indentation; YAML takes spaces only
  7 │   one: 1
    │ ^
  see docs/checks.md#yaml_invalid

warned.yaml:3:1: warning TIMEOUT_MISSING: the run has no timeout: one that hangs is never ended; write \`timeout: 1d\` or what fits
  3 │ name: warned
    │ ^
  see docs/checks.md#timeout_missing
`,
    );
    expect(stderr).toBe(
      "flows: looked at 2 contracts\n✗ 3 files: 2 errors, 1 warning\n  onex check --explain STEP_CYCLE says more\n  no nodes are given, so what is called was not looked at: --nodes MODULE\n",
    );
    expect(code).toBe(65);
  });

  test("of a node's folder goes on when its module does not load, and says so once", async () => {
    const { code, stdout, stderr } = await onex("check", join(folder, "node"), "--json");
    const found = JSON.parse(stdout) as { readonly code: string; readonly file: string; readonly line: number }[];
    expect(found.map(({ code, file, line }) => `${file}:${line} ${code}`)).toEqual([
      "node/index.mjs:1 MODULE_INVALID",
      "node/order.yaml:7 PLAN_INVALID",
    ]);
    expect(stderr).toContain("looked at 1 module, 2 contracts, 1 manifest\n✗ 4 files: 2 errors, 0 warnings");
    expect(code).toBe(65);
  });

  test("shows no line that holds a secret", async () => {
    const { stdout } = await onex("check", "secret.yaml");
    expect(stdout).toContain("SECRET_IN_PLAN");
    expect(stdout).toContain("REFERENCE_UNKNOWN");
    expect(stdout).not.toContain("hunter22");
  });

  test("ends with 0 on warnings, and with 1 when they count", async () => {
    const lax = await onex("check", "warned.yaml", "--format", "github");
    expect(lax.stdout).toMatch(/^::warning file=warned\.yaml,line=3,col=1,title=TIMEOUT_MISSING::the run has no timeout: .+\n$/);
    expect(lax.code).toBe(0);
    expect(lax.stderr).toMatch(/^! warned\.yaml: 0 errors, 1 warning\n {2}no nodes are given/);
    const strict = await onex("check", "warned.yaml", "fine.yaml", "--strict", "--format=json");
    expect(strict.code).toBe(1);
    expect(JSON.parse(strict.stdout)).toMatchObject([
      { level: "warning", file: "warned.yaml", line: 3, column: 1, excerpt: "name: warned", page: "docs/checks.md#timeout_missing" },
    ]);
    const fine = await onex("check", "fine.yaml", "--strict");
    expect(fine).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("✓ fine.yaml: nothing to say\n") });
  });

  test("--explain prints the page of a code", async () => {
    const { code, stdout } = await onex("check", "--explain", "STEP_CYCLE");
    expect(stdout).toMatch(/^STEP_CYCLE\n\nAn error: .*\n[\s\S]*wrong:\n\n {4}steps:\n[\s\S]*right:\n/);
    expect(code).toBe(0);
  });

  test.each<[string[], CheckOptions, string]>([
    [[], {}, "say what to check"],
    [["fine.yaml"], { json: true, format: "github" }, "--json and --format github contradict each other"],
    [["fine.yaml"], { explain: "STEP_CYCLE" }, "--explain takes a code and no file"],
    [[], { explain: "STEP_CYCEL" }, 'Did you mean "STEP_CYCLE"?'],
    [["flows/notes.yaml", "flows/cycel.yaml"], {}, 'Did you mean "cycle.yaml"?'],
  ])("of %j with %j is refused", async (targets, options, words) => {
    const thrown = await check(
      targets.map((target) => join(folder, target)),
      options,
    ).catch((error: unknown) => error);
    expect(String(thrown)).toContain(words);
    expect(exitOf(thrown)).toBe(2);
  });
});

describe.concurrent("onex schema", () => {
  test("prints a schema, of contracts unless another is named", async () => {
    expect((await onex("schema")).stdout).toBe(schemaText("contract"));
    expect((await onex("schema", "manifest")).stdout).toBe(schemaText("manifest"));
  });
  test("names what there is", async () => {
    const words = 'there is no schema of "contracts": name contract, manifest or subcontract. Did you mean "contract"?';
    await expect(schema("contracts", {})).rejects.toThrow(words);
    await expect(schema("manifest", { write: true })).rejects.toThrow("--write takes the folder of a generated node");
  });
});
