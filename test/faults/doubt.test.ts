/** Calls that a crash left unanswered: what is sent again, what waits for a person, what is owed an undo (API rule 5). */
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";

interface Line {
  readonly pid: number;
  readonly how: string;
  readonly attempt?: number;
  readonly key?: string;
  readonly of?: string;
  readonly output?: unknown;
}

let given = { file: "", effects: "" };
beforeEach(() => {
  const folder = newFolder();
  given = { file: join(folder, "test.db"), effects: join(folder, "effects") };
});
function callsOf(how: string): Line[] {
  return linesOf<Line>(given.effects).filter((line) => line.how === how);
}

test("a call in doubt is sent again, fails, or waits for a person, as its effect says", async () => {
  const runs = ["sure", "looks", "fails", "once-retry", "once-fail", "once-output"];
  const first = new Program("doubt", { ...given, runs, hangs: true });
  await first.says(({ inFlight }) => inFlight === runs.length);
  first.kill("SIGKILL");
  await first.end("SIGKILL");

  const resumes = [
    ["once-retry", { step: "once", as: "retry" }],
    ["once-fail", { step: "once", as: "fail" }],
    ["once-output", { step: "once", output: "seen at the bank" }],
  ];
  const next = new Program("doubt", { ...given, runs, resumes });
  await next.end();
  const line = (member: string, run: string) => next.lines.find((one) => one[member] === run);
  for (const run of ["sure", "looks"]) {
    expect(line("run", run)).toMatchObject({ status: "completed" });
    const calls = callsOf(run);
    expect(calls.map(({ pid }) => pid)).toEqual([first.pid, next.pid]);
    // The same attempt again, not another one.
    expect(calls.map(({ attempt, key }) => [attempt, key])).toEqual(Array(2).fill([1, calls[0]?.key]));
  }
  expect(line("run", "fails")).toMatchObject({ status: "failed", error: "IN_DOUBT" });
  for (const run of ["once-retry", "once-fail", "once-output"])
    expect(line("run", run)).toMatchObject({ status: "paused", paused: { code: "IN_DOUBT", step: "once" } });

  expect(line("last", "once-retry")).toMatchObject({ status: "completed", output: "once-retry" });
  expect(callsOf("once-retry").map(({ pid }) => pid)).toEqual([first.pid, next.pid]);
  expect(line("last", "once-fail")).toMatchObject({ status: "failed", error: "IN_DOUBT" });
  expect(callsOf("once-fail").map(({ pid }) => pid)).toEqual([first.pid]);
  expect(line("last", "once-output")).toMatchObject({ status: "completed", output: "seen at the bank" });
  expect(callsOf("once-output").map(({ pid }) => pid)).toEqual([first.pid]);
  // What may have happened is taken back, though nobody knows its output.
  const keys = [...callsOf("fails"), ...callsOf("once-fail")].map(({ key }) => key);
  expect(
    callsOf("undo")
      .map(({ of }) => of)
      .sort(),
  ).toEqual(keys.sort());
  expect(callsOf("undo").map(({ output }) => output)).toEqual(["unknown", "unknown"]);
});

test("a call that kills its process five times is held, and a person lets it go on", async () => {
  const runs = ["sure"];
  for (let death = 0; death < 5; death++) await new Program("doubt", { ...given, runs, dies: true }).end("SIGKILL");
  expect(callsOf("sure").length).toBe(5);
  const held = new Program("doubt", { ...given, runs, dies: true });
  await held.end();
  expect(held.lines).toContainEqual({ run: "sure", status: "paused", paused: { code: "POISON", step: "sure" } });
  expect(callsOf("sure").length).toBe(5);
  const mended = new Program("doubt", { ...given, runs, resumes: [["sure", { step: "sure", as: "retry" }]] });
  await mended.end();
  expect(mended.lines).toContainEqual({ last: "sure", status: "completed", output: "sure" });
  expect(new Set(callsOf("sure").map(({ key }) => key)).size).toBe(1);
});
