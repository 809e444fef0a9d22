import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Entry } from "./record.ts";
import { decodeEntry, encodeEntry } from "./record.ts";
import { openRecord } from "./record-file.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-record-"));
  file = join(folder, "answers");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const now = () => 1_000;
const answer = (actionId: string, until = 2_000, output: string | number = 1): Entry => ({
  kind: "answer",
  actionId,
  digest: "d",
  answer: { status: "completed", output },
  until,
});
const owner = (epoch: number, until = 2_000): Entry => ({ kind: "owner", runId: "run", epoch, leaseId: `lease-${epoch}`, until });
const tomb: Entry = { kind: "tomb", key: "k", why: { code: "UNDONE", message: "it was" }, until: 2_000 };
const failed: Entry = {
  kind: "answer",
  actionId: "f",
  digest: "d",
  answer: { status: "failed", error: { code: "X", message: "y", details: [1] }, outcome: "unknown", final: true, retryAfterMs: 5 },
  until: 2_000,
};

async function wrote(...entries: readonly Entry[]): Promise<void> {
  const { journal } = openRecord(file, now);
  await Promise.all(entries.map((entry) => journal.write([entry])));
  await journal.close();
}
async function opened(at = now): Promise<readonly Entry[]> {
  const { entries, journal } = openRecord(file, at);
  await journal.close();
  return entries;
}
const codeOf = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

test("an entry is read as it was written", () => {
  for (const entry of [answer("a"), owner(3), tomb, failed]) expect(decodeEntry(encodeEntry(entry))).toEqual(entry);
  for (const line of ["", "{}", "null", "[]", '{"kind":"owner","until":1}', '{"kind":"answer","actionId":"a","digest":"d","until":1}'])
    expect(decodeEntry(line)).toBeUndefined();
});

test("what was written is there for the next, what was said last of each, without what is over", async () => {
  await wrote(answer("a"), owner(1), tomb, owner(2), failed, answer("over", 1_000));
  expect(await opened()).toEqual([answer("a"), tomb, owner(2), failed]);
  await wrote(answer("b", 9_000));
  expect(await opened(() => 2_000)).toEqual([answer("b", 9_000)]);
  expect(statSync(file).mode & 0o077).toBe(0);
});

test("many writes share few syncs, and each waits for its own line", async () => {
  const { journal } = openRecord(file, now);
  expect(journal.write([])).toBeUndefined();
  await Promise.all(
    Array.from({ length: 500 }, async (_, n) => {
      await journal.write([answer(`a-${n}`)]);
      expect(readFileSync(file, "utf8")).toContain(`"a-${n}"`);
    }),
  );
  await journal.close();
  expect((await opened()).length).toBe(500);
});

test("a torn last line is left out, and what comes after it is whole", async () => {
  await wrote(answer("a"));
  const whole = encodeEntry(answer("b"));
  for (const torn of [whole.slice(0, 20), whole, `${whole.slice(0, 20)}\n`, `${"\0".repeat(64)}\n\0\n`]) {
    appendFileSync(file, torn);
    await wrote(answer("c"));
    expect((await opened()).map((entry) => entry.kind === "answer" && entry.actionId)).toEqual(["a", "c"]);
  }
});

test("a file that is something else is left as it is", async () => {
  writeFileSync(file, "my thesis\n");
  expect(codeOf(() => openRecord(file, now))).toBe("RECORD_INVALID");
  expect(readFileSync(file, "utf8")).toBe("my thesis\n");
  expect(existsSync(`${file}-owner`)).toBe(false);
  rmSync(file);
  await wrote(answer("a"));
  appendFileSync(file, `what is this\n${encodeEntry(answer("b"))}\n`);
  expect(codeOf(() => openRecord(file, now))).toBe("RECORD_INVALID");
  expect(codeOf(() => openRecord(join(folder, "nowhere/answers"), now))).toBe("RECORD_FAILED");
});

test("one host has it, by whatever name", async () => {
  const { journal } = openRecord(file, now);
  symlinkSync(file, join(folder, "link"));
  expect(codeOf(() => openRecord(file, now))).toBe("RECORD_OWNED");
  expect(codeOf(() => openRecord(join(folder, "link"), now))).toBe("RECORD_OWNED");
  await journal.close();
  expect(await opened()).toEqual([]);
});

test("closed, it takes nothing more", async () => {
  const { journal } = openRecord(file, now);
  await journal.close();
  await expect(journal.write([answer("a")])).rejects.toMatchObject({ code: "RECORD_FAILED" });
});
