/** A stream that lives in another process: whichever side dies, each item is recorded once and in order. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, snapshot } from "./snapshot.ts";

const items = 200;
const numbers = Array.from({ length: items }, (_, n) => n);

interface Opened {
  readonly opened: number;
  readonly actionId: string;
  readonly attempt: number;
  readonly epoch: number;
}

async function play(folder: string) {
  const effects = join(folder, "effects");
  const file = join(folder, "test.db");
  const hostAt = async (leash: number, port?: number) => {
    const host = new Program("host", { effects, leash, port });
    const { port: at } = await host.says("port");
    return { host, port: at as number };
  };
  const ownerAt = (port: number) => new Program("remote-stream", { file, url: `http://127.0.0.1:${port}/nodes`, items });
  const kill = async (program: Program): Promise<void> => {
    program.kill("SIGKILL");
    await program.end("SIGKILL");
  };
  const recorded = async () => factsOf(await snapshot(file), "action.item").length;
  const check = async (owner: Program): Promise<readonly Opened[]> => {
    const { result, counted } = await owner.says("result");
    await owner.end();
    expect(result).toEqual(numbers);
    expect(counted).toEqual({ seen: items, sum: (items * (items - 1)) / 2 });
    const taken = await snapshot(file);
    const yielded = factsOf(taken, "action.item").map(({ fact }) => fact);
    expect(yielded.map(({ index }) => index)).toEqual(numbers);
    expect(yielded.map(({ item }) => (item as { n: number }).n)).toEqual(numbers);
    expect(factsOf(taken, "reducer.applied").length).toBe(items);
    const opened = linesOf<Opened>(effects);
    // Each iterator went on behind what was recorded, as an action of its own: nothing is read again.
    expect(opened[0]?.opened).toBe(0);
    return opened;
  };
  return { hostAt, ownerAt, kill, recorded, check };
}

test(`the host is killed twice in the middle of a stream of ${items} items`, async () => {
  const { hostAt, ownerAt, kill, recorded, check } = await play(newFolder());
  let { host, port } = await hostAt(90);
  const owner = ownerAt(port);
  const stood: number[] = [];
  for (const [target, leash] of [
    [50, 150],
    [130, items],
  ] as const) {
    await host.says(({ at }) => (at as number) >= target);
    await kill(host);
    stood.push(await recorded());
    ({ host, port } = await hostAt(leash, port));
  }
  const opened = await check(owner);
  expect(stood[0]).toBeLessThanOrEqual(90);
  expect(stood[1]).toBeLessThanOrEqual(150);
  expect(opened.length).toBe(3);
  expect(new Set(opened.map(({ actionId }) => actionId)).size).toBe(3);
  // What was given and on its way when the host died may still have been recorded.
  opened.slice(1).forEach(({ opened: at }, i) => {
    expect(at - (stood[i] as number)).toBeGreaterThanOrEqual(0);
    expect(at - (stood[i] as number)).toBeLessThanOrEqual(1);
  });
});

test("the orchestrator is killed: its successor goes on with the stream that the host holds open", async () => {
  const { hostAt, ownerAt, kill, recorded, check } = await play(newFolder());
  const { host, port } = await hostAt(90);
  const first = ownerAt(port);
  await host.says(({ at }) => (at as number) >= 70);
  await kill(first);
  const stood = await recorded();
  expect(stood).toBeGreaterThanOrEqual(70);
  expect(stood).toBeLessThanOrEqual(90);
  const second = ownerAt(port);
  await fetch(`http://127.0.0.1:${port}/open`);
  const opened = await check(second);
  expect(opened.length, "one iterator for both").toBe(1);
  expect(host.lines.flatMap(({ at }) => (at === undefined ? [] : [at]))).toEqual(numbers);
});
