/** A kill while a call with secrets is under way: the call is sent again with them, and they are in no file of the store. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";

test("what is sent again after a kill is the true input, and the store and the log have none of it", async () => {
  const folder = newFolder();
  const store = join(newFolder(), "test.db");
  const registered = `registered "${randomBytes(12).toString("hex")}"`;
  const password = randomBytes(12).toString("hex");
  const given = { file: store, effects: join(folder, "effects"), registered, password };
  const first = new Program("secret", { ...given, hangs: true });
  await first.says("inFlight");
  first.kill("SIGKILL");
  await first.end("SIGKILL");
  const killed = filesOf(store);
  const next = new Program("secret", given);
  await next.end();

  const lines = linesOf<{ readonly pid: number; readonly input?: unknown; readonly key?: string; readonly output?: unknown }>(
    given.effects,
  );
  const calls = lines.filter(({ input }) => input !== undefined);
  expect(calls.map(({ pid }) => pid)).toEqual([first.pid, next.pid]);
  for (const call of calls) expect(call.input).toEqual({ account: { password }, note: `for ${registered}` });
  expect(calls[1]?.key).toBe(calls[0]?.key);
  expect(lines.at(-1)?.output).toEqual({ got: { accessToken: password, free: `see ${registered}` }, error: "no: [redacted]" });

  const said = JSON.stringify([first.lines, next.lines]);
  expect(said).toContain("charging with [redacted]");
  const form = JSON.stringify(registered).slice(1, -1);
  for (const text of [killed, filesOf(store), said])
    for (const secret of [password, registered, form, JSON.stringify(form).slice(1, -1)]) expect(text.includes(secret)).toBe(false);
});

/** Everything in the folder of the store but its key. */
function filesOf(store: string): string {
  const names = readdirSync(join(store, "..")).filter((name) => !name.endsWith("-key"));
  expect(names.length).toBeGreaterThan(0);
  return names.map((name) => readFileSync(join(store, "..", name), "latin1")).join("\n");
}
