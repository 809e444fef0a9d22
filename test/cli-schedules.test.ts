/** Schedules and later starts as the command line shows and makes them. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { createOrchestrator, sqlite, workflow } from "../src/index.ts";
import { typed } from "./typed.ts";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const exec = promisify(execFile);
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const onex = (...args: string[]) => typed(folder, args);
const driving = async (...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> => {
  try {
    return { code: 0, ...(await exec(process.execPath, [main, ...args], { cwd: folder, env: { PATH: process.env.PATH } })) };
  } catch (error) {
    return error as never;
  }
};

test("schedules are listed, as a table and as JSON", async () => {
  const flow = workflow({ name: "flow", input: z.object({}) }, function* () {});
  const orchestrator = createOrchestrator({ store: sqlite(join(folder, "onex.db")), nodes: [flow] });
  await orchestrator.schedules.put({ id: "nightly", workflow: flow, cron: "30 2 * * *", timezone: "Europe/Berlin" });
  await orchestrator.schedules.put({ id: "off", workflow: flow, cron: "@daily", paused: true });
  await orchestrator.close();
  const table = (await onex("schedules")).stdout;
  expect(table).toMatch(/^SCHEDULE +WORKFLOW +CRON +NEXT +LAST/);
  expect(table).toMatch(/nightly +flow +30 2 \* \* \* Europe\/Berlin +\d{4}-\d\d-\d\d 0[01]:30:00Z/);
  expect(table).toMatch(/off +flow +@daily UTC +paused/);
  const rows = JSON.parse((await onex("schedules", "--json")).stdout) as { id: string; paused: boolean }[];
  expect(rows.map(({ id, paused }) => [id, paused])).toEqual([
    ["nightly", false],
    ["off", true],
  ]);
});

test("a store without schedules says so", async () => {
  await createOrchestrator({ store: sqlite(join(folder, "onex.db")), nodes: [] }).close();
  expect(await onex("schedules")).toMatchObject({
    code: 0,
    stdout: "",
    stderr: expect.stringContaining("no schedules in sqlite:onex.db: a program makes them"),
  });
});

test("run takes a time and a priority", async () => {
  const yaml = "onex: v1\nkind: workflow\nname: hello\nversion: 1.0.0\nsteps: { a: { set: 1 } }\n";
  writeFileSync(join(folder, "hello.yaml"), yaml);
  expect(await driving("run", "hello.yaml", "--at", "2020-01-01T00:00Z", "--priority", "3")).toMatchObject({ code: 0, stdout: "1\n" });
  const later = new Date(Date.now() + 300).toISOString();
  expect(await driving("run", "hello.yaml", "--at", later)).toMatchObject({ code: 0, stdout: "1\n" });
  for (const [option, value, words] of [
    ["--at", "tomorrow", "--at tomorrow: write an ISO time, such as 2030-01-31T06:00Z"],
    ["--at", "10:00", "--at 10:00: write an ISO time"],
    ["--at", "1795275020", "--at 1795275020: write an ISO time"],
    ["--at", "2030-13-01", "--at 2030-13-01: write an ISO time"],
    ["--at", "", "--at '': write an ISO time"],
    ["--priority", "high", "--priority high: write a whole number from 1 (first) to 1000"],
    ["--priority", "0", "--priority 0: write"],
    ["--priority", "", "--priority '': write"],
    ["--priority", "1.5", "--priority 1.5: write"],
  ] as const)
    expect(await onex("run", "hello.yaml", option, value)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
});
