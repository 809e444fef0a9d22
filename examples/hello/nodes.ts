/** The two steps of hello: one decides, one acts. */
import { compute, effect } from "onex";
import { z } from "zod";

/** Pure: the same input gives the same output, so it needs no key and no undo. */
export const greeting = compute(
  { name: "greeting", input: z.object({ name: z.string() }), output: z.object({ text: z.string() }) },
  ({ name }) => ({ text: `Hello, ${name}!` }),
);

/** Touches the world: it says whether it may be sent twice, and how it is taken back. */
export const say = effect(
  {
    name: "say",
    input: z.object({ text: z.string() }),
    output: z.object({ said: z.string() }),
    idempotent: true,
    irreversible: "what was said was said",
  },
  async ({ text }) => {
    console.log(text);
    return { said: text };
  },
);
