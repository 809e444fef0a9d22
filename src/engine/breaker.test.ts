import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Breaker, type BreakerSettings, breakerSettings, type Outcome } from "./breaker.ts";

const usual = breakerSettings();

/** A breaker and the calls that are under way, on a clock of its own. */
function make(options: Partial<BreakerSettings> = {}) {
  const breaker = new Breaker(breakerSettings(options));
  const at = { now: 0 };
  /** A call from its begin to its end. */
  const call = (outcome: Outcome) => breaker.leave(breaker.enter(at.now), outcome, at.now);
  return {
    at,
    breaker,
    call,
    state: () => breaker.view(at.now).state,
    free: () => breaker.next(at.now) <= at.now,
    begin: () => breaker.enter(at.now),
    end: (period: number, outcome: Outcome) => breaker.leave(period, outcome, at.now),
    calls(outcome: Outcome, count: number) {
      for (let i = 0; i < count; i++) call(outcome);
    },
  };
}
const open = (options: Partial<BreakerSettings> = {}) => {
  const made = make({ failureThreshold: 1, ...options });
  made.call("failure");
  return made;
};

describe("closed", () => {
  test("so many failures without a success between them open it", () => {
    const { calls, state, call } = make();
    calls("failure", 4);
    call("success");
    calls("failure", 4);
    expect(state()).toBe("closed");
    call("failure");
    expect(state()).toBe("open");
  });

  test("a share of failures opens it once enough calls have ended, and no threshold hides it", () => {
    const { call, state } = make({ failureThreshold: 10_000 });
    for (let i = 0; i < 9; i++) {
      call("success");
      call("failure");
    }
    call("success");
    expect(state()).toBe("closed");
    call("failure");
    expect(state()).toBe("open");
  });

  test("the few failures that it may open at are not masked by `minimumCalls`", () => {
    const { calls, state } = make({ failureThreshold: 3, minimumCalls: 1000 });
    calls("failure", 3);
    expect(state()).toBe("open");
  });

  test("what is ignored counts nowhere", () => {
    const { calls, call, state, breaker } = make();
    calls("failure", 4);
    calls("ignored", 100);
    expect(breaker.view(0)).toMatchObject({ calls: 4, failures: 4 });
    call("failure");
    expect(state()).toBe("open");
  });

  test("the window slides: old failures fall out of it one by one, whatever comes later", () => {
    const { at, call, state, breaker } = make({ windowMs: 1_000, failureThreshold: 5 });
    // One failure each 300 ms never makes five of them within a second.
    for (let i = 0; i < 100; i++) {
      at.now = i * 300;
      call("failure");
      expect(state()).toBe("closed");
      expect(breaker.view(at.now).failures).toBeLessThanOrEqual(4);
    }
    at.now += 1_000;
    expect(breaker.view(at.now)).toMatchObject({ calls: 0, failures: 0 });
  });
});

describe("open", () => {
  test("it refuses until its time is over, and says when that is", () => {
    const { at, breaker, free, state } = open();
    at.now = 59_999;
    expect(free()).toBe(false);
    expect(breaker.next(at.now)).toBe(60_000);
    expect(state()).toBe("open");
    at.now = 60_000;
    expect(free()).toBe(true);
    expect(state()).toBe("half_open");
  });

  test("calls that were under way when it opened decide nothing", () => {
    const { at, begin, end, call, state, free } = make({ failureThreshold: 1, successThreshold: 1 });
    const early = [begin(), begin(), begin()];
    call("failure");
    end(early[0] as number, "success");
    expect(state()).toBe("open");
    at.now = 60_000;
    expect(free()).toBe(true);
    end(early[1] as number, "failure");
    expect(state()).toBe("half_open");
    end(early[2] as number, "success");
    expect(state()).toBe("half_open");
  });
});

describe("half open", () => {
  test("so many probes at once and no more", () => {
    const { at, begin, free } = open();
    at.now = 60_000;
    for (let i = 0; i < 3; i++) {
      expect(free()).toBe(true);
      begin();
    }
    expect(free()).toBe(false);
  });

  test("probes that succeed close it, with an empty window", () => {
    const { at, call, state, breaker } = open();
    at.now = 60_000;
    call("success");
    expect(state()).toBe("half_open");
    call("success");
    expect(state()).toBe("closed");
    expect(breaker.view(at.now)).toMatchObject({ calls: 0, failures: 0 });
  });

  test("a probe that fails opens it again for the whole time", () => {
    const { at, call, state, breaker } = open();
    at.now = 60_000;
    call("success");
    call("failure");
    expect(state()).toBe("open");
    expect(breaker.next(at.now)).toBe(120_000);
    at.now = 120_000;
    call("success");
    expect(state()).toBe("half_open");
  });

  test("a probe whose end says nothing gives its place back and decides nothing", () => {
    const { at, begin, end, calls, state, free } = open({ halfOpenMaxCalls: 1 });
    at.now = 60_000;
    for (let i = 0; i < 1000; i++) {
      const probe = begin();
      expect(free()).toBe(false);
      end(probe, "ignored");
      expect(free()).toBe(true);
    }
    expect(state()).toBe("half_open");
    calls("success", 2);
    expect(state()).toBe("closed");
  });

  test("it can always close: more successes than places are reached, since places come back", () => {
    for (const [halfOpenMaxCalls, successThreshold] of [
      [1, 1],
      [1, 1000],
      [3, 5],
      [1000, 1],
    ] as const) {
      const { at, calls, state } = open({ halfOpenMaxCalls, successThreshold });
      at.now = 60_000;
      calls("success", successThreshold - 1);
      if (successThreshold > 1) expect(state()).toBe("half_open");
      calls("success", 1);
      expect(state()).toBe("closed");
    }
  });

  test("probes of an earlier half open period give no place and no answer to a later one", () => {
    const { at, begin, end, free, state } = open({ halfOpenMaxCalls: 2 });
    at.now = 60_000;
    const [one, two] = [begin(), begin()];
    end(one, "failure");
    at.now = 120_000;
    expect(free()).toBe(true);
    begin();
    end(two, "success");
    begin();
    expect(free()).toBe(false);
    expect(state()).toBe("half_open");
  });
});

// ── against a naive model: every call is kept, every figure is counted anew ──

interface Ended {
  readonly at: number;
  readonly outcome: "success" | "failure";
}

class Model {
  state: "closed" | "open" | "half_open" = "closed";
  until = 0;
  ended: Ended[] = [];
  probes = new Set<object>();
  successes = 0;
  readonly settings: BreakerSettings;
  constructor(settings: BreakerSettings) {
    this.settings = settings;
  }
  look(now: number) {
    if (this.state === "open" && now >= this.until) {
      this.state = "half_open";
      this.probes = new Set();
      this.successes = 0;
    }
  }
  window(now: number): Ended[] {
    const slice = (time: number) => Math.floor((time * 10) / this.settings.windowMs);
    return this.ended.filter(({ at }) => slice(at) > slice(now) - 10);
  }
  open(now: number) {
    this.state = "open";
    this.until = now + this.settings.openMs;
  }
  end(call: { readonly state: string; readonly round: object }, outcome: Outcome, now: number) {
    this.look(now);
    if (this.state === "half_open" && this.probes.delete(call)) {
      if (outcome === "failure") this.open(now);
      else if (outcome === "success" && ++this.successes === this.settings.successThreshold) {
        this.state = "closed";
        this.ended = [];
      }
    } else if (this.state === "closed" && outcome !== "ignored") {
      this.ended.push({ at: now, outcome });
      const window = this.window(now);
      const failures = window.filter((one) => one.outcome === "failure").length;
      const last = window.findLastIndex((one) => one.outcome === "success");
      const { failureThreshold, minimumCalls, failureRateThreshold } = this.settings;
      if (outcome === "failure")
        if (
          window.length - 1 - last >= failureThreshold ||
          (window.length >= minimumCalls && failures / window.length >= failureRateThreshold)
        )
          this.open(now);
    }
  }
}

test("it does what a naive model does, whatever happens in whatever order", () => {
  const settings = fc.record({
    failureThreshold: fc.integer({ min: 1, max: 6 }),
    windowMs: fc.integer({ min: 100, max: 400 }),
    failureRateThreshold: fc.constantFrom(0.2, 0.5, 1),
    minimumCalls: fc.integer({ min: 1, max: 10 }),
    openMs: fc.integer({ min: 1, max: 100 }),
    halfOpenMaxCalls: fc.integer({ min: 1, max: 3 }),
    successThreshold: fc.integer({ min: 1, max: 4 }),
    local: fc.constant(true),
  });
  const move = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("begin" as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("end" as const),
        which: fc.nat(),
        outcome: fc.constantFrom<Outcome>("success", "failure", "failure", "ignored"),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 150 }) }) },
  );
  fc.assert(
    fc.property(settings, fc.array(move, { maxLength: 150 }), (given, moves) => {
      const breaker = new Breaker(given);
      const model = new Model(given);
      let now = 0;
      let round = {};
      const calls: { readonly period: number; readonly call: { readonly state: string; readonly round: object } }[] = [];
      for (const one of moves) {
        if (one.kind === "wait") now += one.ms;
        model.look(now);
        const before = model.state;
        if (one.kind === "begin" && breaker.next(now) <= now) {
          const call = { state: model.state, round };
          expect(model.state).not.toBe("open");
          if (model.state === "half_open") {
            expect(model.probes.size).toBeLessThan(given.halfOpenMaxCalls);
            model.probes.add(call);
          }
          calls.push({ period: breaker.enter(now), call });
        } else if (one.kind === "begin") {
          expect(model.state === "open" || model.probes.size === given.halfOpenMaxCalls).toBe(true);
        } else if (one.kind === "end" && calls.length > 0) {
          const [{ period, call }] = calls.splice(one.which % calls.length, 1) as [(typeof calls)[0]];
          // What was let through in an earlier period is not heard.
          if (call.round === round) model.end(call, one.outcome, now);
          breaker.leave(period, one.outcome, now);
        }
        if (model.state !== before) round = {};
        const { state, openUntil } = breaker.view(now);
        expect(state).toBe(model.state);
        expect(openUntil).toBe(model.state === "open" ? model.until : undefined);
        if (state === "closed") {
          const window = model.window(now);
          expect(breaker.view(now)).toMatchObject({
            calls: window.length,
            failures: window.filter(({ outcome }) => outcome === "failure").length,
          });
        }
      }
    }),
    { numRuns: 500 },
  );
});

describe("settings", () => {
  test("have defaults", () => {
    expect(usual).toEqual({
      failureThreshold: 5,
      windowMs: 120_000,
      failureRateThreshold: 0.5,
      minimumCalls: 20,
      openMs: 60_000,
      halfOpenMaxCalls: 3,
      successThreshold: 2,
      local: false,
    });
  });

  test.each([
    [{ failureThreshold: 0 }, "failureThreshold is 0: give a whole number from 1 to 10000"],
    [{ failureThreshold: 1.5 }, "failureThreshold is 1.5"],
    [{ windowMs: 99 }, "windowMs is 99: give a whole number from 100 to 86400000"],
    [{ failureRateThreshold: 0 }, "failureRateThreshold is 0: give a number above 0 to 1"],
    [{ failureRateThreshold: 1.1 }, "failureRateThreshold is 1.1"],
    [{ minimumCalls: Number.NaN }, "minimumCalls is NaN"],
    [{ openMs: Number.POSITIVE_INFINITY }, "openMs is Infinity"],
    [{ halfOpenMaxCalls: "3" as never }, "halfOpenMaxCalls is 3"],
    [{ successThreshold: -1 }, "successThreshold is -1"],
    [{ local: "yes" as never }, "local is yes: give true or false"],
    [{ threshold: 5 } as never, 'there is no "threshold"'],
  ])("%j is refused", (options, message) => {
    expect(() => breakerSettings(options)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(message) }),
    );
  });

  test("all that is wrong is said in one error", () => {
    expect(() => breakerSettings({ openMs: 0, windowMs: 0 })).toThrow(/windowMs is 0.*openMs is 0/);
  });
});
