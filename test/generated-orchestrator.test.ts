/**
 * What `templates/orchestrator` makes is right as it stands: it compiles, its tests pass, the checker has nothing to say, and
 * it runs. Two versions of it and another node live in one project, and a run ends as the version that it began with.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { render } from "../src/cli/new/render.ts";
import { type Chosen, valuesOf } from "../src/cli/new/values.ts";
import type { RunView } from "../src/core/view.ts";
import { linkPackages } from "./linked.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const onex = join(root, "dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "onex-generated-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const first: Chosen = { project: "big-co", domain: "shop", name: "order", version: "1.0.0" };
const second: Chosen = { ...first, version: "1.1.0" };
const other: Chosen = { project: "big-co", domain: "pay-roll", name: "year-end", version: "2.0.1" };

const homeOf = (chosen: Chosen): string => {
  const { projectSnake, domainSnake, nameSnake, versionFolder } = valuesOf(chosen, "0.1.0");
  return `${projectSnake}/nodes/node_${domainSnake}_${nameSnake}_orchestrator/${versionFolder}`;
};
const sourceOf = (chosen: Chosen): string => `src/${homeOf(chosen)}`;

const input = { id: "id-1", items: [{ sku: "tea", quantity: 2, priceCents: 450 }] };

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

beforeAll(() => {
  for (const chosen of [first, second, other])
    for (const { path, text } of render("orchestrator", valuesOf(chosen, "0.1.0"))) write(path, text);
  // A later version that does something else, so that a run which changed its version would show it.
  const later = `${sourceOf(second)}/workflows/order.ts`;
  write(
    later,
    readFileSync(join(folder, later), "utf8").replace(
      "return { totalCents, receipt };",
      "return { totalCents, receipt: `${receipt} of 1.1.0` };",
    ),
  );
  write("package.json", JSON.stringify({ name: "big-co", private: true, type: "module", dependencies: { onex: "*", zod: "*" } }));
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noUnusedLocals: true };
  const erasable = { erasableSyntaxOnly: true, verbatimModuleSyntax: true, allowImportingTsExtensions: true, noEmit: true };
  const target = { target: "es2023", lib: ["es2023"], module: "nodenext", skipLibCheck: true, types: ["node"] };
  write("tsconfig.json", JSON.stringify({ compilerOptions: { ...target, ...strict, ...erasable }, include: ["src", "tests"] }));
  linkPackages(folder, ["zod", "vitest", "@types/node"]);
});

interface Ended {
  readonly code: number | string | null;
  readonly signal: string | null;
  readonly stdout: string;
  /** Everything that was said, for the message of an assertion that fails. */
  readonly said: string;
}
function node(args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> {
  // Nothing of this test's own setting reaches the project.
  const own = Object.entries(process.env).filter(([name]) => !/^(ONEX|VITEST|NODE_ENV|FORCE_COLOR)/.test(name));
  return new Promise((resolve) =>
    execFile(
      process.execPath,
      args,
      { cwd: folder, env: { ...Object.fromEntries(own), NO_COLOR: "1", ...more } },
      (error, stdout, stderr) =>
        resolve({ code: error ? (error.code ?? null) : 0, signal: error?.signal ?? null, stdout, said: stdout + stderr }),
    ),
  );
}

test("it compiles under the strictest settings", async () => {
  const { code, said } = await node([join(root, "node_modules/typescript/bin/tsc"), "-p", "."]);
  expect(said).toBe("");
  expect(code).toBe(0);
});

test("its own tests pass, whatever its names are", async () => {
  // In one process, which loads the package once; test/new.test.ts runs such tests as a user does.
  const inOneProcess = ["--no-isolate", "--no-file-parallelism"];
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const { code, said } = await node([vitest, "run", ...inOneProcess, "--dir", `tests/${homeOf(other)}`]);
  expect(code, said).toBe(0);
  expect(said).toMatch(/Test Files +7 passed \(7\)/);
});

test("the checker has nothing to say", async () => {
  const targets = [first, other].flatMap((chosen) =>
    ["index.ts", `contracts/${chosen.name}.contract.yaml`].map((file) => `${sourceOf(chosen)}/${file}`),
  );
  // Each is looked at by itself, whatever else is named.
  const { code, stdout, said } = await node([onex, "check", ...targets, "--json"]);
  expect(JSON.parse(stdout), said).toEqual([]);
  expect(code).toBe(0);
});

test("the folder runs, and so does its contract", async () => {
  const run = (target: string) => node([onex, "run", target, "--store", "memory:", "--input", JSON.stringify(input)]);
  const ended = await Promise.all([run(sourceOf(other)), run(`${sourceOf(other)}/contracts/year-end.contract.yaml`)]);
  for (const { code, stdout, said } of ended) {
    expect(code, said).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ totalCents: 900, receipt: "receipt-id-1" });
  }
});

test("a run that was killed ends as the version it began with, in a process that holds all of them", async () => {
  const begin = [onex, "run", `tests/${homeOf(first)}/crashing.ts`, "--run-id", "killed", "--input", JSON.stringify(input)];
  const killed = await node(begin, { CRASH: "1", PAYMENTS: join(folder, "payments") });
  expect(killed.signal, killed.said).toBe("SIGKILL");
  const worked = await node([onex, "work", "src", "--until-idle"]);
  expect(worked.code, worked.said).toBe(0);
  for (const held of ["order@1.0.0", "order@1.1.0", "year-end@2.0.1"]) expect(worked.said).toContain(held);
  const { stdout, said } = await node([onex, "show", "killed", "--json"]);
  const shown = JSON.parse(stdout) as RunView;
  expect(shown, said).toMatchObject({ status: "completed", version: "1.0.0", output: { totalCents: 900, receipt: "receipt-id-1" } });
});
