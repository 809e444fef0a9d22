/** A host that has seen a higher epoch of the run. */
import { expect, test } from "vitest";
import { z } from "zod";
import { quiet } from "../../../test/semantics/kit.ts";
import { listening, textOf } from "../../../test/serve.ts";
import type { Json } from "../../core/json.ts";
import type { EffectContext, EffectContract } from "../../node/contract.ts";
import { effect } from "../../node/effect.ts";
import { stream } from "../../node/stream.ts";
import { type Action, actionOf } from "../action.ts";
import { systemWorld } from "../system.ts";
import { type Answer, encodeAnswer, jsonType } from "../wire.ts";
import { NodeClient } from "./client.ts";

const any = z.any();
const far = effect({ name: "far", input: any }, async () => null);
const rows = stream({ name: "rows", input: any, item: any }, async function* () {
  yield null;
});

interface Told {
  readonly epoch: number;
  readonly taken?: number;
}

/** A run of epoch 1, and a host that answers each request so. */
async function stand(answer: (action: Told) => Answer | { readonly seen: unknown; readonly code?: string }) {
  const told: Told[] = [];
  const url = await listening(async (request, response) => {
    const { action } = JSON.parse(await textOf(request)) as { readonly action?: Told };
    if (!action) return response.writeHead(200, { "content-type": jsonType }).end(encodeAnswer({ status: "aborted" }));
    told.push(action);
    const given = answer(action);
    const refused = "seen" in given;
    const said: Answer = refused
      ? {
          ...{ status: "failed", outcome: "none" },
          error: { code: given.code ?? "STALE_EPOCH", message: "no", details: { seen_epoch: given.seen as Json } },
        }
      : given;
    return response.writeHead(refused ? 409 : 200, { "content-type": jsonType }).end(encodeAnswer(said));
  });
  const world = systemWorld(quiet);
  const client = new NodeClient(world, new Map([far, rows].map(({ contract }) => [contract.name, new URL(url)])), {
    abortGraceMs: 1_000,
    maxValueBytes: 1024,
  });
  const cut = new AbortController();
  let epoch = 1;
  const raises: number[] = [];
  /** What comes of the wish to raise it. */
  let raise = async (seen: number): Promise<boolean> => {
    epoch = seen + 1;
    return true;
  };
  const call = ({ contract }: typeof far | typeof rows, taken = 0): unknown => {
    const origin = { runId: "r", correlationId: "r", leaseId: "l", started: undefined, keyOf: () => "k", actionIdOf: () => "id" };
    const work = { step: "s", attempt: 1, delivery: 1, callee: contract, input: null, timeoutMs: 30_000, priority: 1, resume: undefined };
    const action = (index?: number): Action => ({
      ...actionOf({ ...origin, epoch }, work, Date.now(), Date.now() + 30_000),
      ...(index === undefined ? {} : { taken: index }),
    });
    const context = { signal: cut.signal, progress: () => {}, epoch, taken } as unknown as EffectContext;
    const raising = (seen: number): Promise<boolean> => {
      raises.push(seen);
      return raise(seen);
    };
    return client.call({ contract: contract as EffectContract, input: null, context, action, raise: raising });
  };
  const instead = (other: typeof raise): void => {
    raise = other;
  };
  return { call, told, raises, instead, cut };
}
const done: Answer = { status: "completed", output: "done" };

test.each(["STALE_EPOCH", "LEASE_VIOLATION"])(
  "%s: the run is raised above what was seen, and the same action is sent again",
  async (code) => {
    const { call, told, raises } = await stand(({ epoch }) => (epoch < 5 ? { seen: 4, code } : done));
    expect(await call(far)).toBe("done");
    expect([raises, told.map(({ epoch }) => epoch)]).toEqual([[4], [1, 5]]);
  },
);

test("a stream goes on with the item that was refused, under the higher epoch", async () => {
  const { call, told, raises } = await stand(({ epoch, taken = 0 }) => {
    if (taken === 1 && epoch < 9) return { seen: 8 };
    return taken === 3 ? { status: "completed", output: { items: 3 } } : { status: "yielded", index: taken, item: taken * 10 };
  });
  const items: unknown[] = [];
  for await (const item of call(rows) as AsyncIterable<unknown>) items.push(item);
  expect([items, raises]).toEqual([[0, 10, 20], [8]]);
  expect(told.map(({ epoch, taken }) => [epoch, taken])).toEqual([
    [1, 0],
    [1, 1],
    [9, 1],
    [9, 2],
    [9, 3],
  ]);
});

test("who may not raise it has failed, with what the host says", async () => {
  const { call, told, instead } = await stand(() => ({ seen: 4 }));
  instead(async () => false);
  await expect(call(far)).rejects.toMatchObject({ code: "STALE_EPOCH", outcome: "none", details: { seen_epoch: 4 } });
  expect(told.length).toBe(1);
});

test("a host that always knows of a higher one is asked four times", async () => {
  const { call, told } = await stand(({ epoch }) => ({ seen: epoch }));
  await expect(call(far)).rejects.toMatchObject({ code: "STALE_EPOCH" });
  expect(told.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
});

test.each([0, -1, 1.5, 2 ** 53, "7", null])("one that has seen %j says nothing of use", async (seen) => {
  const { call, raises } = await stand(() => ({ seen }));
  await expect(call(far)).rejects.toMatchObject({ code: "STALE_EPOCH" });
  expect(raises).toEqual([]);
});

test("a call that is given up meanwhile waits for no epoch", async () => {
  const { call, instead, cut, told } = await stand(() => ({ seen: 4 }));
  instead(() => {
    queueMicrotask(() => cut.abort(new Error("enough")));
    return new Promise(() => {});
  });
  await expect(call(far)).rejects.toThrow("enough");
  expect(told.length).toBe(1);
});
