/** What the tests of many owners share. */
import { type Steps, workflow } from "../../src/index.ts";
import { type Fleet, leaseMs, type Member } from "./fleet.ts";
import { anything } from "./kit.ts";

export const lapsed = `${leaseMs}ms` as const;

/** A workflow of this body. */
export function flowOf(body: (input: unknown) => Steps<unknown>, options: object = {}) {
  return workflow({ name: "flow", input: anything, ...options }, body);
}
export type Flow = ReturnType<typeof flowOf>;

export function start(member: Member | undefined, flow: Flow, runId: string, input: unknown = null, options: object = {}) {
  return (member as Member).face.start(flow as never, input as never, { runId, ...options });
}
/** Two processes that have begun: one drives runs, the other starts and asks alone. */
export async function ownerAndClient(fleet: Fleet, options: Parameters<Fleet["join"]>[0] = {}): Promise<[Member, Member]> {
  const both: [Member, Member] = [fleet.join(options), fleet.join({ nodes: [] })];
  await fleet.settle();
  return both;
}
/** How a question is answered, when it is. */
export function asked<T>(question: Promise<T>): { answer: T | undefined; error: unknown } {
  const came: { answer: T | undefined; error: unknown } = { answer: undefined, error: undefined };
  question.then(
    (answer) => {
      came.answer = answer;
    },
    (error) => {
      came.error = error;
    },
  );
  return came;
}
