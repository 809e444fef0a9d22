import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { breakerSettings, type CircuitBreakerOptions, type Outcome } from "./breaker.ts";
import { type Ask, Gate, type Guarded, type Pass } from "./gate.ts";
import type { Clock } from "./world.ts";

/** A clock that moves when the test says so, and counts its timers. */
class TestClock implements Clock {
  time = 0;
  readonly timers = new Set<{ readonly due: number; readonly callback: () => void }>();
  now() {
    return this.time;
  }
  elapsed() {
    return this.time;
  }
  soon(callback: () => void) {
    callback();
  }
  setTimer(ms: number, callback: () => void) {
    const timer = { due: this.time + ms, callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }
  moveBy(ms: number) {
    const until = this.time + ms;
    for (;;) {
      const next = [...this.timers].filter(({ due }) => due <= until).sort((a, b) => a.due - b.due)[0];
      if (!next) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.due);
      next.callback();
    }
    this.time = until;
  }
}

const node = (name: string, limits: Partial<Guarded> = {}): Guarded => ({ kind: "effect", name, version: "1.0.0", ...limits });
const byText = (input: never) => String(input);

/** Who asks, and what became of it. */
class Asker implements Ask {
  readonly node: Guarded;
  readonly input: { readonly value: unknown };
  readonly priority: number;
  readonly giveUpAt: number | undefined;
  wants = true;
  pass: Pass | undefined;
  failed: string | undefined;
  constructor(given: Guarded, more: { readonly key?: string; readonly priority?: number; readonly giveUpAt?: number } = {}) {
    this.node = given;
    this.input = { value: more.key ?? "" };
    this.priority = more.priority ?? 100;
    this.giveUpAt = more.giveUpAt;
  }
  wanted() {
    return this.wants;
  }
  go(pass: Pass) {
    expect(this.pass, "goes once").toBeUndefined();
    expect(this.wants, "still wants to go").toBe(true);
    this.pass = pass;
  }
  giveUp({ code }: { readonly code: string }) {
    expect(this.pass).toBeUndefined();
    this.failed = code;
  }
  enter(gate: Gate) {
    const answer = gate.enter(this);
    if (answer && "code" in answer) this.failed = answer.code;
    else if (answer) this.pass = answer;
    return this;
  }
  get state() {
    return this.failed ?? (this.pass ? "in" : "waits");
  }
  end(outcome: Outcome = "success") {
    this.pass?.begin();
    this.pass?.leave(outcome);
  }
}

function make(options: CircuitBreakerOptions = {}, endpoints: Readonly<Record<string, string>> = {}) {
  const clock = new TestClock();
  let rested = 0;
  const gate = new Gate({
    clock,
    now: () => clock.time + 1_000_000,
    breaker: breakerSettings(options),
    endpoints,
    rested: () => rested++,
  });
  const ask = (given: Guarded, more?: ConstructorParameters<typeof Asker>[1]) => new Asker(given, more).enter(gate);
  return { clock, gate, ask, rested: () => rested };
}
const states = (...askers: readonly Asker[]) => askers.map(({ state }) => state).join(" ");

describe("who has to pass", () => {
  test("an effect that limits nothing and lives here does not", () => {
    expect(make().gate.guards(node("free"))).toBe(false);
    expect(make().gate.guards(node("one", { concurrency: { limit: 1 } }))).toBe(true);
    expect(make().gate.guards(node("one", { rate: { limit: 1, perMs: 1 } }))).toBe(true);
    expect(make({ local: true }).gate.guards(node("free"))).toBe(true);
    expect(make({}, { far: "http://far/" }).gate.guards(node("far"))).toBe(true);
    expect(make({}, { far: "http://far/" }).gate.guards(node("toString"))).toBe(false);
    expect(make({ local: true }).gate.guards({ ...node("pure"), kind: "compute" })).toBe(false);
    expect(make({}, { pure: "http://far/" }).gate.guards({ ...node("pure"), kind: "compute" })).toBe(true);
  });

  test("nodes with one endpoint share its breaker, whatever their limits; a remote one needs no `local`", () => {
    const { ask, gate } = make({ failureThreshold: 1 }, { a: "http://x/", b: "http://X", c: "http://y/" });
    ask(node("a")).end("failure");
    expect(states(ask(node("b")), ask(node("c")))).toBe("waits in");
    expect(gate.breakers()).toEqual([
      { endpoint: "http://x/", state: "open", calls: 1, failures: 1, refused: 1, probeAt: 1_060_000 },
      { endpoint: "http://y/", state: "closed", calls: 0, failures: 0, refused: 0 },
    ]);
  });
});

describe("a call that goes on after its endpoint has answered", () => {
  const far = node("far", { concurrency: { limit: 2 } });
  const endpoints = { far: "http://far/", other: "http://far/" };

  test("gives a probe's place back and keeps its slot; how it ends is no news of the endpoint", () => {
    const { ask, gate, clock } = make({ failureThreshold: 1, openMs: 10, halfOpenMaxCalls: 1, successThreshold: 2 }, endpoints);
    ask(far).end("failure");
    clock.moveBy(10);
    const [long, next] = [ask(far), ask(node("other"))];
    expect(states(long, next)).toBe("in waits");
    long.pass?.answered();
    expect(states(long, next), "not sent yet").toBe("in waits");
    long.pass?.begin();
    long.pass?.answered();
    long.pass?.answered();
    expect(states(long, next)).toBe("in in");
    expect(gate.breakers()).toMatchObject([{ state: "half_open" }]);
    next.end();
    expect(gate.breakers()).toMatchObject([{ state: "closed" }]);
    const [second, third] = [ask(far), ask(far)];
    expect(states(second, third)).toBe("in waits");
    long.pass?.leave("failure");
    expect(states(second, third)).toBe("in in");
    expect(gate.breakers()).toMatchObject([{ state: "closed", failures: 0 }]);
  });
});

describe("together or not at all", () => {
  const all = node("all", { concurrency: { limit: 1 }, rate: { limit: 2, perMs: 1_000 } });

  test("a call that a slot refuses takes no start, one that the breaker refuses takes no slot", () => {
    const { ask, clock } = make({ local: true, failureThreshold: 1, openMs: 10_000 });
    const [a, b, c] = [ask(all), ask(all), ask(all)] as const;
    expect(states(a, b, c)).toBe("in waits waits");
    a.end();
    expect(states(b, c)).toBe("in waits");
    b.end("failure");
    // Its rate refuses it first, then the breaker.
    clock.moveBy(1_000);
    expect(c.state).toBe("waits");
    const other = ask(node("all", { concurrency: { limit: 1 }, rate: { limit: 2, perMs: 1_000 } }));
    clock.moveBy(9_000);
    expect(states(c, other)).toBe("in waits");
    c.end();
    expect(other.state).toBe("in");
  });

  test("a pass that is left before its call begins gives back slot, start and probe", () => {
    const { ask, clock } = make({ local: true, failureThreshold: 1, halfOpenMaxCalls: 1, openMs: 10 });
    const one = node("one", { concurrency: { limit: 1 }, rate: { limit: 1, perMs: 1_000_000 } });
    const a = ask(one);
    a.pass?.leave("failure");
    const b = ask(one);
    expect(b.state).toBe("in");
    b.pass?.leave("failure");
    a.pass?.leave("failure");
    expect(ask(one).state).toBe("in");
    expect(ask(one).state).toBe("waits");
    clock.moveBy(1);
  });
});

describe("who goes", () => {
  test("exactly as many as there is room for, by priority and then as they came", () => {
    const { ask } = make();
    const two = node("two", { concurrency: { limit: 2 } });
    const [a, b] = [ask(two), ask(two)] as const;
    const [late, usual, soon, next] = [ask(two, { priority: 900 }), ask(two), ask(two, { priority: 1 }), ask(two)] as const;
    a.end();
    expect(states(late, usual, soon, next)).toBe("waits waits in waits");
    b.end();
    expect(states(late, usual, soon, next)).toBe("waits in in waits");
    soon.end();
    usual.end();
    expect(states(late, next)).toBe("in in");
  });

  test("lanes with keys of their own are served by priority too where they share a breaker", () => {
    const { ask, clock } = make({ local: true, failureThreshold: 1, halfOpenMaxCalls: 1 });
    const keyed = node("keyed", { concurrency: { limit: 1, key: byText } });
    ask(keyed, { key: "first" }).end("failure");
    const [a, b, c] = [ask(keyed, { key: "a" }), ask(keyed, { key: "b", priority: 900 }), ask(keyed, { key: "c", priority: 1 })] as const;
    const before = ask(keyed, { key: "a", priority: 2 });
    clock.moveBy(60_000);
    expect(states(a, b, c, before)).toBe("waits waits in waits");
    c.end();
    expect(states(a, b, before)).toBe("waits waits in");
    before.end();
    // Closed again: the rest go together.
    expect(states(a, b)).toBe("in in");
  });

  test("who comes later does not overtake who waits, even if its timer is late", () => {
    const { ask, clock } = make();
    const one = node("one", { rate: { limit: 1, perMs: 1_000 } });
    ask(one).pass?.begin();
    const waits = ask(one);
    clock.time = 1_000;
    expect(states(ask(one), waits)).toBe("waits in");
  });

  test("who left the line is passed over", () => {
    const { ask } = make();
    const one = node("one", { concurrency: { limit: 1 } });
    const [a, b, c] = [ask(one), ask(one), ask(one)] as const;
    b.wants = false;
    a.end();
    expect(states(b, c)).toBe("waits in");
  });
});

describe("time", () => {
  test("one timer for the earliest, none when nobody waits", () => {
    const { ask, clock, gate } = make();
    const slow = node("slow", { rate: { limit: 1, perMs: 5_000 } });
    const quick = node("quick", { rate: { limit: 1, perMs: 100 } });
    for (const one of [slow, quick]) ask(one).pass?.begin();
    expect(clock.timers.size).toBe(0);
    const [a, b] = [ask(slow), ask(quick)] as const;
    expect(clock.timers.size).toBe(1);
    expect(gate.restful(99)).toBe(true);
    expect(gate.restful(100)).toBe(false);
    clock.moveBy(100);
    expect(states(a, b)).toBe("waits in");
    clock.moveBy(4_900);
    expect(a.state).toBe("in");
    expect(clock.timers.size).toBe(0);
    expect(gate.restful(1_000_000)).toBe(true);
  });

  test("who may not wait that long is told at once, or when its time is over", () => {
    const { ask, clock } = make({ local: true, failureThreshold: 1, halfOpenMaxCalls: 1 });
    const one = node("one", { concurrency: { limit: 1 } });
    const holder = ask(one);
    const waits = ask(one, { giveUpAt: 1_005_000 });
    clock.moveBy(4_999);
    expect(waits.state).toBe("waits");
    clock.moveBy(1);
    expect(waits.state).toBe("LIMIT_REACHED");
    holder.end("failure");
    expect(ask(one, { giveUpAt: 1_005_000 + 59_999 }).state).toBe("CIRCUIT_OPEN");
    const patient = ask(one, { giveUpAt: 1_005_000 + 60_000 });
    expect(patient.state).toBe("waits");
    clock.moveBy(60_000);
    expect(patient.state).toBe("in");
  });

  test("each gives up at its own time, whatever the order in which they came", () => {
    const { ask, clock } = make();
    const one = node("one", { concurrency: { limit: 1 } });
    const holder = ask(one);
    const [c, a, gone, b] = [300, 100, 150, 200].map((ms) => ask(one, { giveUpAt: 1_000_000 + ms })) as [Asker, Asker, Asker, Asker];
    gone.wants = false;
    expect(states(a, b, c)).toBe("waits waits waits");
    clock.moveBy(100);
    expect(states(a, b, c)).toBe("LIMIT_REACHED waits waits");
    clock.moveBy(100);
    expect(states(a, b, c)).toBe("LIMIT_REACHED LIMIT_REACHED waits");
    holder.end();
    clock.moveBy(100);
    expect(states(c, gone)).toBe("in waits");
    expect(clock.timers.size).toBe(0);
  });

  test("after `stop` nothing goes and no timer is set", () => {
    const { ask, clock, gate } = make();
    const one = node("one", { rate: { limit: 1, perMs: 100 } });
    const first = ask(one);
    const second = ask(one, { giveUpAt: 1_100_000 });
    gate.stop();
    first.end();
    ask(one, { giveUpAt: 1_100_000 });
    clock.moveBy(1_000_000);
    expect(second.state).toBe("waits");
    expect(clock.timers.size).toBe(0);
  });
});

test("a key that cannot be made is a failure, and takes nothing", () => {
  const { gate } = make();
  const limits = { limit: 1, key: byText };
  expect(gate.enter(Object.assign(new Asker(node("one", { concurrency: limits })), { input: undefined }))).toMatchObject({
    code: "INPUT_INVALID",
    message: expect.stringContaining("synchronous schema"),
  });
});

test("whatever comes in whatever order: limits hold, no room stays empty while somebody waits, and nothing leaks", () => {
  const limits = {
    slots: node("slots", { concurrency: { limit: 2, key: byText } }),
    rate: node("rate", { rate: { limit: 2, perMs: 50, key: byText } }),
    both: node("both", { concurrency: { limit: 1, key: byText }, rate: { limit: 3, perMs: 80 } }),
    plain: node("plain"),
  };
  const names = Object.keys(limits) as (keyof typeof limits)[];
  const move = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        name: fc.constantFrom(...names),
        key: fc.constantFrom("x", "y"),
        priority: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("begin" as const), which: fc.nat() }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("end" as const),
        which: fc.nat(),
        outcome: fc.constantFrom<Outcome>("success", "success", "failure", "ignored"),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  );
  fc.assert(
    fc.property(fc.array(move, { maxLength: 120 }), (moves) => {
      const { ask, clock, gate } = make(
        { failureThreshold: 2, openMs: 70, halfOpenMaxCalls: 1 },
        { slots: "http://a/", both: "http://a/", plain: "http://b/" },
      );
      const all: Asker[] = [];
      const begun = new Set<Asker>();
      const ended = new Set<Asker>();
      const starts: { readonly of: string; readonly at: number }[] = [];
      const waiting = () => all.filter((one) => one.state === "waits" && one.wants);
      const inside = () => all.filter((one) => one.pass && !ended.has(one));
      const begin = (one: Asker) => {
        begun.add(one);
        one.pass?.begin();
        starts.push({ of: `${one.node.name} ${one.node.name === "rate" ? one.input.value : ""}`, at: clock.time });
      };
      for (const one of moves) {
        if (one.kind === "ask") all.push(ask(limits[one.name], one));
        if (one.kind === "wait") clock.moveBy(one.ms);
        if (one.kind === "begin") {
          const fresh = inside().filter((asker) => !begun.has(asker));
          const asker = fresh[one.which % Math.max(1, fresh.length)];
          if (asker) begin(asker);
        }
        if (one.kind === "end") {
          const asker = inside()[one.which % Math.max(1, inside().length)];
          if (asker) {
            ended.add(asker);
            asker.pass?.leave(one.outcome);
          }
        }
        if (one.kind === "leave") {
          const asker = waiting()[one.which % Math.max(1, waiting().length)];
          if (asker) asker.wants = false;
        }
        const flying = (name: string, key?: string) =>
          inside().filter(({ node, input }) => node.name === name && (key === undefined || input.value === key)).length;
        for (const key of ["x", "y"]) {
          expect(flying("slots", key)).toBeLessThanOrEqual(2);
          expect(flying("both", key)).toBeLessThanOrEqual(1);
        }
        for (const { of, at } of starts) {
          const most = of.startsWith("rate") ? 2 : of.startsWith("both") ? 3 : Number.POSITIVE_INFINITY;
          const per = of.startsWith("rate") ? 50 : 80;
          expect(starts.filter((other) => other.of === of && other.at >= at && other.at < at + per).length).toBeLessThanOrEqual(most);
        }
        // Who waits behind nothing but a slot waits for one that is taken.
        const closed = gate.breakers().every(({ state }) => state === "closed");
        for (const { node, input } of waiting()) if (node.name === "slots" && closed) expect(flying("slots", String(input.value))).toBe(2);
      }
      // When all calls end well and time goes on, everybody who still wants to gets in.
      for (let round = 0; round < 500 && waiting().length + inside().length > 0; round++) {
        for (const one of inside()) {
          if (!begun.has(one)) begin(one);
          ended.add(one);
          one.pass?.leave("success");
        }
        clock.moveBy(20);
      }
      expect(waiting()).toEqual([]);
      expect(inside()).toEqual([]);
      clock.moveBy(200);
      // A breaker that no success has closed yet lets one probe through at a time: two that end well close it.
      for (const one of [limits.slots, limits.plain]) for (let probe = 0; probe < 2; probe++) ask(one, { key: "x" }).end("success");
      expect(gate.breakers().every(({ state }) => state === "closed")).toBe(true);
      for (const name of names) for (const key of ["x", "y"]) expect(ask(limits[name], { key }).state).toBe("in");
    }),
    { numRuns: 300 },
  );
});

test("10,000 who wait for one slot are looked at once each, not at every slot", () => {
  const { gate } = make();
  const one = node("one", { concurrency: { limit: 1 } });
  const count = 10_000;
  let looks = 0;
  const running: Pass[] = [];
  const first = new Asker(one).enter(gate);
  for (let i = 0; i < count; i++)
    gate.enter({
      node: one,
      input: undefined,
      priority: 100,
      giveUpAt: undefined,
      wanted: () => {
        looks++;
        return true;
      },
      go: (pass) => running.push(pass),
      giveUp: () => {},
    });
  first.end();
  let gone = 0;
  for (let pass = running.shift(); pass; pass = running.shift()) {
    expect(running.length).toBe(0);
    gone++;
    pass.leave("success");
  }
  expect(gone).toBe(count);
  // A few looks for each: when it comes, when the line is swept, when it is first.
  expect(looks).toBeLessThan(12 * count);
});

test("10,000 keys that wait for one breaker are not all woken by one probe", () => {
  const { gate, clock, ask } = make({ local: true, failureThreshold: 1, halfOpenMaxCalls: 1 });
  const keyed = node("keyed", { concurrency: { limit: 1, key: byText } });
  ask(keyed).end("failure");
  let looks = 0;
  const passes: Pass[] = [];
  for (let i = 0; i < 10_000; i++)
    gate.enter({
      node: keyed,
      input: { value: String(i) },
      priority: 100,
      giveUpAt: undefined,
      wanted: () => {
        looks++;
        return true;
      },
      go: (pass) => passes.push(pass),
      giveUp: () => {},
    });
  for (let probe = 0; probe < 100; probe++) {
    looks = 0;
    clock.moveBy(60_000);
    expect(passes).toHaveLength(1);
    expect(looks).toBeLessThan(20);
    for (const pass of passes.splice(0)) {
      pass.begin();
      pass.leave("failure");
    }
  }
});
