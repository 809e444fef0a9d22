import { expect, test } from "vitest";
import { stand, told } from "../../test/server/kit.ts";
import { memory } from "../index.ts";

/** Timers that end when they are told to. */
function clockOf() {
  const timers = new Map<() => void, number>();
  return {
    timers,
    setTimer(ms: number, callback: () => void) {
      timers.set(callback, ms);
      return () => void timers.delete(callback);
    },
    end() {
      const due = [...timers.keys()];
      timers.clear();
      for (const callback of due) callback();
    },
  };
}

/** A store that is away: what is asked of it here is never answered. */
function away(asked: readonly string[]) {
  const here = memory();
  return {
    kind: "memory",
    open(host: never) {
      return new Proxy(here.open(host), {
        get(target, name) {
          if (asked.includes(String(name))) return () => new Promise(() => {});
          const value = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  } as never;
}

test("a store that is away keeps nobody: 503 after ten seconds, and when to ask again", async () => {
  const clock = clockOf();
  const { get } = stand({ clock }, { store: away(["list"]) });
  const asked = get("/api/v1/runs");
  await expect.poll(() => [...clock.timers.values()]).toEqual([10_000]);
  clock.end();
  const answer = await asked;
  expect(answer.headers.get("retry-after")).toBe("1");
  expect(await told(answer)).toMatchObject({ status: 503, code: "SERVER_NOT_READY", body: { detail: expect.stringContaining("10 s") } });
});

test("a wait for a result and the body of a request take no time of the store", async () => {
  const clock = clockOf();
  const { app, get, start } = stand({ clock });
  const id = await start("patient", { amount: 1 });
  const waiting = get(`/api/v1/runs/${id}/result?wait=50s`);
  await expect.poll(() => [...clock.timers.values()]).toEqual([70_000]);
  clock.end();
  expect((await waiting).status).toBe(503);

  let send = (_text: string) => {};
  const body = new ReadableStream({
    start(controller) {
      send = (text) => {
        controller.enqueue(new TextEncoder().encode(text));
        controller.close();
      };
    },
  });
  const headers = { "content-type": "application/json" };
  const slow = app.fetch(
    new Request("http://127.0.0.1:3300/api/v1/runs", { method: "POST", body, headers, duplex: "half" } as RequestInit),
  );
  await new Promise(setImmediate);
  expect(clock.timers.size).toBe(0);
  send('{ "workflow": "quick", "input": { "amount": 1 } }');
  expect((await slow).status).toBe(201);
  expect(clock.timers.size).toBe(0);
});
