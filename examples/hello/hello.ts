import { sleep, workflow } from "onex";
import { z } from "zod";
import { greeting, say } from "./nodes.ts";

/** Greets somebody, one second later. A crash at any point loses nothing: `sleep` is kept in the store too. */
export const hello = workflow(
  { name: "hello", version: "1.0.0", input: z.object({ name: z.string() }), timeout: "1h" },
  function* ({ name }) {
    const { text } = yield* greeting({ name });
    yield* sleep("1s");
    return yield* say({ text });
  },
);
