/** A disk that fills up under a running orchestrator. It takes root, which may mount a small disk of memory. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createOrchestrator, sqlite, workflow } from "../../src/index.ts";
import { any } from "./any.ts";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, snapshot } from "./snapshot.ts";

interface Call {
  readonly pid: number;
  readonly run: string;
  readonly key: string;
  readonly input: { readonly step: number };
}

function root(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: "pipe" });
}

const mounts: string[] = [];
afterEach(() => {
  for (const mount of mounts.splice(0)) root("umount", "--lazy", mount);
});

/** A disk of that size, or why there is none. */
function smallDisk(size: string): { readonly path: string } | { readonly why: string } {
  if (process.platform !== "linux") return { why: `no tmpfs on ${process.platform}` };
  const path = join(newFolder(), "disk");
  mkdirSync(path);
  try {
    root("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path);
  } catch (error) {
    return { why: `mount: ${error instanceof Error ? error.message : error}` };
  }
  mounts.push(path);
  return { path };
}

/** A disk of that size; without root the test is skipped, and says so. */
function diskOr(skip: () => never, size: string): string {
  const disk = smallDisk(size);
  if ("path" in disk) return disk.path;
  console.warn(`SKIPPED: a test of a full disk needs root on Linux (${disk.why})`);
  return skip();
}

test("on a full disk the orchestrator stops with STORE_FAILED and tells its callers; with space again, every run is finished", async ({
  skip,
}) => {
  const disk = diskOr(skip, "3m");
  const runs = 30;
  const effects = join(newFolder(), "effects");
  const given = { file: join(disk, "test.db"), effects, runs };
  const full = new Program("fat", { ...given, late: true });
  const starts = (await full.says("starts")).starts as string[];
  const results = (await full.says("results")).results as string[];
  expect(new Set([...starts, ...results].filter((code) => code !== "none"))).toEqual(new Set(["STORE_FAILED"]));
  expect(results).toContain("STORE_FAILED");
  expect(await full.says("late")).toEqual({ late: "STORE_FAILED", signal: "STORE_FAILED" });
  expect(await full.says("stopped")).toEqual({ stopped: "STORE_FAILED" });
  await full.end();
  expect(full.lines.find((line) => "failed" in line)?.failed).toMatch(/full; make room on the disk/);

  root("mount", "-o", "remount,size=64m", disk);
  const before = await snapshot(given.file);
  // What was acknowledged is there, and some of it is not done.
  const known = new Set(before.rows.map(({ id }) => id));
  for (const { acknowledged } of linesOf<{ acknowledged?: string }>(effects))
    if (acknowledged !== undefined) expect(known).toContain(acknowledged);
  expect(before.rows.some(({ endedAt }) => endedAt === undefined)).toBe(true);
  const recorded = new Set(factsOf(before, "action.completed").map(({ run, fact }) => `${run} ${fact.step}`));
  expect(recorded.size).toBeGreaterThan(0);

  const next = new Program("fat", given);
  expect((await next.says("results")).results).toEqual(Array(runs).fill("none"));
  await next.end();
  const after = await snapshot(given.file);
  expect(after.rows.map(({ status }) => status)).toEqual(Array(runs).fill("completed"));
  const calls = linesOf<Call>(effects).filter(({ key }) => key !== undefined);
  for (const { pid, run, input } of calls) expect(pid === next.pid && recorded.has(`${run} s${input.step}`)).toBe(false);
  expect(new Set(calls.map(({ key }) => key)).size).toBe(runs * 10);
});

test("on a disk that is full from the start nothing is made; with space again, it is", async ({ skip }) => {
  const disk = diskOr(skip, "1m");
  const effects = join(newFolder(), "effects");
  const filler = join(disk, "filler");
  const fd = openSync(filler, "w");
  expect(() => {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  }).toThrow(/ENOSPC/);
  closeSync(fd);
  const store = sqlite(join(disk, "test.db"));
  const nodes = [workflow({ name: "idle", input: any }, function* () {})];
  expect(() => createOrchestrator({ store, nodes })).toThrow(
    expect.objectContaining({ code: "STORE_FAILED", message: expect.stringMatching(/full; make room/) }),
  );
  expect(readdirSync(disk)).toEqual(["filler"]);
  rmSync(filler);
  const program = new Program("fat", { file: join(disk, "test.db"), effects, runs: 1 });
  expect((await program.says("results")).results).toEqual(["none"]);
  await program.end();
});
