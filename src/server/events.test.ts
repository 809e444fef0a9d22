import { expect, test } from "vitest";
import { after, stand } from "../../test/server/kit.ts";
import { memory } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { keepAliveMs } from "./events.ts";

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: { readonly type: string };
}

/** Reads a stream as a browser does; a comment is given as its text. */
function reader(response: Response) {
  const stream = response.body?.getReader();
  if (!stream) throw new Error(`there is no stream: ${response.status}`);
  after(() => stream.cancel().catch(() => {}));
  const decoder = new TextDecoder();
  let text = "";
  const next = async (): Promise<Event | string | undefined> => {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end >= 0) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        if (block.startsWith("retry:")) continue;
        if (block.startsWith(":")) return block.slice(1).trim();
        const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]));
        return { id: fields.id ?? "", event: fields.event ?? "", data: JSON.parse(fields.data ?? "null") };
      }
      const { done, value } = await stream.read();
      if (done) return undefined;
      text += decoder.decode(value, { stream: true });
    }
  };
  return {
    next,
    cancel: () => stream.cancel(),
    async until(type: string): Promise<Event[]> {
      const seen: Event[] = [];
      for (;;) {
        const event = await next();
        if (event === undefined) throw new Error(`it ended before ${type}`);
        if (typeof event === "string") continue;
        seen.push(event);
        if (event.event === type) return seen;
      }
    },
    async rest(): Promise<(Event | string)[]> {
      const seen: (Event | string)[] = [];
      for (let event = await next(); event !== undefined; event = await next()) seen.push(event);
      return seen;
    },
  };
}

/** A clock whose timers go off when the test says so. */
function handClock() {
  const timers = new Set<{ readonly ms: number; readonly callback: () => void }>();
  return {
    timers,
    setTimer(ms: number, callback: () => void) {
      const timer = { ms, callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    fire(ms: number) {
      for (const timer of [...timers])
        if (timer.ms === ms) {
          timers.delete(timer);
          timer.callback();
        }
    },
  };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("an event a fact, live, until the run ends", async () => {
  const { start, get, post, orchestrator, app } = stand();
  const id = await start("patient", { amount: 1 });
  const response = await get(`/api/v1/runs/${id}/events`);
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const events = reader(response);
  const early = await events.until("signal.awaited");
  await post(`/api/v1/runs/${id}/signals/go`, { by: "ada\n\nid: 9" });
  const all = [...early, ...((await events.rest()) as Event[])];
  const facts = await orchestrator.run(id).facts();
  expect(all.map(({ data }) => data)).toEqual(facts);
  expect(all.map(({ id }) => id)).toEqual(facts.map((_, i) => String(i + 1)));
  expect(all.map(({ event }) => event)).toEqual(facts.map(({ type }) => type));
  expect(await (await app.fetch(new Request("http://localhost/metrics"))).text()).toContain("onex_http_event_streams 0");
});

test("who comes back misses nothing and gets nothing twice; after the end there is no more to come", async () => {
  const { start, get, orchestrator } = stand();
  const id = await start("quick", { amount: 1 });
  await orchestrator.run(id).result();
  const count = (await orchestrator.run(id).facts()).length;
  for (let last = 0; last < count; last++) {
    const events = reader(await get(`/api/v1/runs/${id}/events`, { "last-event-id": String(last) }));
    expect(((await events.rest()) as Event[]).map((event) => Number(event.id))).toEqual(
      Array.from({ length: count - last }, (_, i) => last + i + 1),
    );
  }
  expect((await get(`/api/v1/runs/${id}/events`, { "last-event-id": String(count) })).status).toBe(204);
  expect((await get(`/api/v1/runs/${id}/events?after=${count - 1}`)).status).toBe(200);
  expect((await get(`/api/v1/runs/${id}/events`, { "last-event-id": String(count + 1) })).status).toBe(400);
  expect((await get(`/api/v1/runs/${id}/events`, { "last-event-id": "x" })).status).toBe(400);
  expect((await get("/api/v1/runs/nobody/events")).status).toBe(404);
});

test("a run that is restarted goes on in the same stream, and can be come back to", async () => {
  const { start, get, post, orchestrator } = stand();
  const id = await start("twofold", { round: 0 });
  await orchestrator.idle();
  const events = reader(await get(`/api/v1/runs/${id}/events?after=0-0`));
  const seen = await events.until("signal.awaited");
  await post(`/api/v1/runs/${id}/signals/go`, { by: "ada" });
  const rest = (await events.rest()) as Event[];
  const facts = await orchestrator.run(id).facts();
  const second = [...seen, ...rest].filter((event) => event.id.startsWith("1-"));
  expect(second.map(({ data }) => data)).toEqual(facts);
  const place = second[1]?.id ?? "";
  expect(place).toBe("1-2");
  const again = reader(await get(`/api/v1/runs/${id}/events`, { "last-event-id": place }));
  expect(((await again.rest()) as Event[]).map((event) => event.id)).toEqual(second.slice(2).map((event) => event.id));
  // A place in the log before: that one is closed, so the present one is told from its beginning.
  const old = reader(await get(`/api/v1/runs/${id}/events`, { "last-event-id": "3" }));
  expect(((await old.rest()) as Event[])[0]?.id).toBe("1-1");
});

test("while nothing happens a comment keeps the connection, and leaves no timer behind", async () => {
  const clock = handClock();
  const { start, get, post } = stand({ clock });
  const id = await start("patient", { amount: 1 });
  const events = reader(await get(`/api/v1/runs/${id}/events`));
  await events.until("signal.awaited");
  for (let i = 0; i < 3; i++) {
    const next = events.next();
    await settled();
    expect(clock.timers.size).toBe(1);
    clock.fire(keepAliveMs);
    expect(await next).toBe("still here");
  }
  const received = events.until("signal.received");
  await post(`/api/v1/runs/${id}/signals/go`, { by: "ada" });
  await received;
  await events.rest();
  expect(clock.timers.size).toBe(0);
});

test("a server that drains says so and ends the stream; the run goes on", async () => {
  const { start, get, app, orchestrator } = stand();
  const id = await start("patient", { amount: 1 });
  const events = reader(await get(`/api/v1/runs/${id}/events`));
  await events.until("signal.awaited");
  const rest = events.rest();
  await settled();
  app.drain();
  expect(await rest).toEqual(["the server is closing"]);
  expect((await orchestrator.run(id).status()).status).toBe("waiting");
});

test("an engine that stops ends the stream, and its words stay inside", async () => {
  const { start, get, orchestrator } = stand();
  const id = await start("patient", { amount: 1 });
  const events = reader(await get(`/api/v1/runs/${id}/events`));
  await events.until("signal.awaited");
  const rest = events.rest();
  await settled();
  await orchestrator.close();
  expect(await rest).toEqual(["the stream was broken off"]);
});

test("who goes away while nothing happens is forgotten at once", async () => {
  const clock = handClock();
  const { start, get } = stand({ clock });
  const id = await start("patient", { amount: 1 });
  const events = reader(await get(`/api/v1/runs/${id}/events`));
  await events.until("signal.awaited");
  void events.next().catch(() => {});
  await settled();
  expect(await (await get("/metrics")).text()).toContain("onex_http_event_streams 1");
  await events.cancel();
  await settled();
  expect(clock.timers.size).toBe(0);
  expect(await (await get("/metrics")).text()).toContain("onex_http_event_streams 0");
});

test("facts that nobody reads are not read from the store", async () => {
  const kept = memory();
  let turnsRead = 0;
  const store: Store = {
    kind: "memory",
    open(host) {
      const opened = kept.open(host);
      const turns = opened.turns.bind(opened);
      opened.turns = async (...asked) => {
        const found = await turns(...asked);
        turnsRead += found.length;
        return found;
      };
      return opened;
    },
  };
  const { start, get, orchestrator } = stand({}, { store });
  const id = await start("long", { steps: 100 });
  await orchestrator.idle();
  const events = reader(await get(`/api/v1/runs/${id}/events`));
  turnsRead = 0;
  for (let i = 1; i <= 10; i++) expect(await events.next()).toMatchObject({ id: String(i) });
  expect(turnsRead).toBeLessThan(50);
  await events.until("signal.awaited");
  expect(turnsRead).toBeGreaterThan(100);
});
