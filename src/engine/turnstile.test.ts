import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Command, CommandOf } from "../core/command.ts";
import type { FactBody } from "../core/fact.ts";
import { effect } from "../node/effect.ts";
import { breakerSettings } from "./breaker.ts";
import { Gate } from "./gate.ts";
import { systemWorld } from "./system.ts";
import { outcomeOf, Turnstile } from "./turnstile.ts";

const one = effect({ name: "one", input: z.string(), readonly: true, concurrency: { limit: 1 } }, async () => null);

function make() {
  const { clock } = systemWorld(undefined);
  const gate = new Gate({ clock, now: () => clock.now(), breaker: breakerSettings(), endpoints: {}, rested: () => {} });
  const run = () => {
    const unwanted = new Set<Command>();
    let stirred = 0;
    const turnstile = new Turnstile(gate, { wants: (wish) => !unwanted.has(wish), stir: () => stirred++ });
    return { turnstile, unwanted, stirred: () => stirred };
  };
  return { gate, run };
}
const wish = (step: string): CommandOf<"dispatch"> => ({
  type: "dispatch",
  key: `d:${step}`,
  step,
  attempt: 1,
  callee: one.contract,
  input: "x",
  timeoutMs: 1_000,
  priority: 100,
  giveUpAt: undefined,
});
const again = (step: string): CommandOf<"deliver"> => ({
  ...wish(step),
  type: "deliver",
  key: `x:${step}`,
  delivery: 2,
  resume: undefined,
});

describe("the passes of a run", () => {
  test("a wish that waits comes again when it may go, once; asked twice meanwhile it waits once", () => {
    const { turnstile, stirred } = make().run();
    const [a, b] = [wish("a"), wish("b")];
    expect(turnstile.admits(a)).toBe(true);
    expect(turnstile.admits(b)).toBe(false);
    expect(turnstile.admits(b)).toBe(false);
    expect(turnstile.waits).toBe(true);
    turnstile.sent("a");
    turnstile.begins("a");
    turnstile.leave("a", "success");
    expect(stirred()).toBe(1);
    expect(turnstile.hasNews).toBe(true);
    expect(turnstile.take()).toEqual([b]);
    expect(turnstile.take()).toEqual([]);
    expect(turnstile.admits(b)).toBe(true);
    expect(turnstile.waits).toBe(false);
  });

  test("a wish that was withdrawn between the grant and the turn gives its pass back; an intent that is noted keeps it", () => {
    const { gate, run } = make();
    const { turnstile } = run();
    const other = run().turnstile;
    const [a, b] = [wish("a"), wish("b")];
    turnstile.admits(a);
    expect(other.admits(b)).toBe(false);
    turnstile.giveBack(a);
    expect(other.take()).toEqual([b]);
    other.sent("b");
    other.giveBack(b);
    expect(gate.enter({ ...asking(), node: one.contract })).toBeUndefined();
  });

  test("one that is no longer wanted does not come again", () => {
    const { turnstile, unwanted } = make().run();
    const [a, b, c] = [wish("a"), wish("b"), wish("c")];
    for (const each of [a, b, c]) turnstile.admits(each);
    unwanted.add(b);
    turnstile.leave("a");
    expect(turnstile.take()).toEqual([c]);
  });

  test("a run that is dropped gives back all, and what waits of it lets others go", () => {
    const { run } = make();
    const [dropped, other] = [run(), run()];
    const [a, b, c] = [wish("a"), wish("b"), wish("c")];
    dropped.turnstile.admits(a);
    dropped.turnstile.admits(b);
    other.turnstile.admits(c);
    for (const each of [a, b]) dropped.unwanted.add(each);
    dropped.turnstile.drop();
    expect(other.turnstile.take()).toEqual([c]);
    expect(dropped.turnstile.hasNews).toBe(false);
  });

  test("a run that is held lets others go first: its intents are wished again, its deliveries ask again", () => {
    const { run } = make();
    const [held, other] = [run(), run()];
    const [a, b, x, c] = [wish("a"), wish("b"), again("x"), wish("c")];
    for (const each of [a, b, x]) held.turnstile.admits(each);
    other.turnstile.admits(c);
    held.turnstile.leave("a");
    held.turnstile.hold();
    held.turnstile.hold();
    expect(other.turnstile.take()).toEqual([c]);
    expect(held.turnstile.take()).toEqual([x]);
    expect(held.turnstile.admits(x)).toBe(false);
    other.turnstile.leave("c");
    expect(held.turnstile.take()).toEqual([x]);
    expect(held.turnstile.admits(x)).toBe(true);
  });
});

function asking() {
  return {
    input: undefined,
    priority: 100,
    giveUpAt: undefined,
    wanted: () => true,
    go: () => {},
    giveUp: () => {},
  };
}

const failed = (code: string, more: object = {}): FactBody => ({
  type: "action.failed",
  step: "a",
  attempt: 1,
  error: { code, message: "" },
  outcome: "unknown",
  ...more,
});

test.each([
  ["an answer", { type: "action.completed", step: "a", attempt: 1, output: null } as FactBody, "success"],
  ["a no of the other side", failed("NO", { outcome: "none", final: true }), "success"],
  ["an error", failed("EFFECT_THREW"), "failure"],
  ["a timeout", failed("STEP_TIMEOUT"), "failure"],
  ["silence", failed("HEARTBEAT_TIMEOUT"), "failure"],
  ["a request for time", failed("RETRY_LATER", { retryAfterMs: 1 }), "ignored"],
  ["a cancelled call", failed("CANCELLED"), "ignored"],
  ["a bad input", failed("INPUT_INVALID", { outcome: "none", final: true }), "ignored"],
  ["a bad output", failed("OUTPUT_INVALID", { final: true }), "ignored"],
  ["a huge output", failed("VALUE_TOO_LARGE", { final: true }), "ignored"],
  ["a call that did not even get there", failed("ECONNREFUSED", { outcome: "none" }), "failure"],
  ["a note on the way", { type: "action.progressed", step: "a", attempt: 1, note: null } as FactBody, undefined],
] as const)("to the breaker, %s", (_what, fact, outcome) => {
  expect(outcomeOf(fact)).toBe(outcome);
});
