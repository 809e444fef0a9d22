/** What is inferred, from end to end: this file is right when it compiles. */
import {
  all,
  attempt,
  compute,
  createOrchestrator,
  each,
  effect,
  type Json,
  memory,
  now,
  race,
  reducer,
  service,
  signal,
  sleep,
  uuid,
  workflow,
} from "onex";
import { stub, testOrchestrator } from "onex/testing";
import { z } from "zod";
import { holds, type Same } from "./kit.ts";

interface Mailer {
  send(to: string): Promise<string>;
}
const mailer = service<Mailer>("mailer");
const Person = z.object({ name: z.string(), age: z.number().default(18) });

const greet = compute({ name: "greet", input: Person }, ({ name, age }) => {
  holds<Same<typeof age, number>>();
  return { text: `${name} ${age}` };
});
const graded = compute({ name: "graded", input: Person, output: z.object({ grade: z.enum(["a", "b"]) }) }, ({ age }) => {
  if (age > 20) return { grade: "a" };
  return { grade: "b" };
});
const forget = effect({ name: "forget", input: z.object({ id: z.string() }), irreversible: "takes back" }, async () => null);
const mail = effect(
  {
    name: "mail",
    input: Person,
    output: z.object({ id: z.string() }),
    uses: { mailer },
    idempotent: true,
    undo: ({ input, output, idempotencyKey }) => {
      holds<Same<typeof input, { name: string; age: number }>>();
      holds<Same<typeof output, { id: string } | undefined>>();
      holds<Same<typeof idempotencyKey, string>>();
      return forget({ id: output?.id ?? input.name });
    },
  },
  async ({ name }, context) => {
    holds<Same<typeof context.mailer, Mailer>>();
    holds<Same<typeof context.signal, AbortSignal>>();
    holds<Same<typeof context.resume, Json | undefined>>();
    return { id: await context.mailer.send(name) };
  },
);
const votes = reducer(
  { name: "votes", event: z.object({ who: z.string() }), initial: { count: 0 }, key: (event) => event.who },
  ({ count }) => ({ count: count + 1 }),
);
const total = reducer({ name: "total", event: z.object({ by: z.number() }), initial: 0 }, (sum, { by }) => sum + by);
const answer = signal({ name: "answer", payload: z.object({ yes: z.boolean() }) });

const whole = workflow({ name: "whole", input: Person }, function* (person, context) {
  holds<Same<typeof context.runId, string>>();
  const { text } = yield* greet(person);
  holds<Same<typeof text, string>>();
  const { grade } = yield* graded(person);
  holds<Same<typeof grade, "a" | "b">>();
  const pair = yield* all([greet(person), mail(person)]);
  holds<Same<typeof pair, [{ text: string }, { id: string }]>>();
  const named = yield* all({ one: greet(person), two: now() });
  holds<Same<typeof named, { one: { text: string }; two: number }>>();
  const first = yield* race({ said: answer.wait(), late: sleep("1h") });
  if (first.winner === "said") holds<Same<typeof first.value, { yes: boolean }>>();
  else holds<Same<typeof first.value, void>>();
  const texts = yield* each([person], (one, index) => {
    holds<Same<typeof index, number>>();
    return greet(one);
  });
  holds<Same<typeof texts, { text: string }[]>>();
  const tried = yield* attempt(mail(person));
  if (tried.ok) holds<Same<typeof tried.value, { id: string }>>();
  else holds<Same<typeof tried.error.code, string>>();
  const count = yield* votes({ who: "ann" });
  holds<Same<typeof count, { count: number }>>();
  const read = yield* votes.read("ann");
  holds<Same<typeof read, { count: number }>>();
  const sum = yield* total.read();
  holds<Same<typeof sum, number>>();
  const id = yield* uuid();
  holds<Same<typeof id, string>>();
  return { text, id };
});
const outer = workflow(
  { name: "outer", input: z.object({ person: Person }), output: z.object({ text: z.string() }) },
  function* ({ person }) {
    const done = yield* whole(person, { runId: "inner" });
    holds<Same<typeof done, { text: string; id: string }>>();
    return { text: done.text };
  },
);

export async function use(): Promise<void> {
  const orchestrator = createOrchestrator({ store: memory(), nodes: [whole, outer], provide: [mailer.from({ send: async (to) => to })] });
  const run = await orchestrator.start(whole, { name: "ann" });
  const result = await run.result();
  holds<Same<typeof result, { text: string; id: string }>>();
  await run.signal(answer, { yes: true });
  const out = await orchestrator.process({ workflowType: "outer", workflowContext: { person: { name: "ann" } } });
  holds<Same<typeof out.workflowResult.finalOutput, { text: string } | null>>();
  holds<Same<typeof out.workflowType, "outer">>();
  const level = await orchestrator.read(votes, "ann");
  holds<Same<typeof level, { count: number }>>();
  const tested = testOrchestrator({ nodes: [whole], stubs: [stub(mail, ({ name }) => ({ id: name }))] });
  for (const call of tested.calls(mail)) holds<Same<typeof call.idempotencyKey, string>>();
}
