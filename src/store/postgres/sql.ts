/** A statement with a name, which the server prepares once for each connection. */
import { createHash } from "node:crypto";
import type { Line, Row } from "./line.ts";
import { inSchema } from "./line.ts";

/** Texts by what stands in them; `@.` is the schema. */
export class Statements {
  readonly #schema: string;
  readonly #prepared = new Map<string, { readonly name: string; readonly text: string }>();

  constructor(schema: string) {
    this.#schema = schema;
  }

  run(line: Line, text: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
    let prepared = this.#prepared.get(text);
    if (!prepared) {
      const whole = inSchema(this.#schema, text);
      // By its text, so that through a pooler two versions of onex never take one name for two texts.
      prepared = { name: `onex_${createHash("sha256").update(whole).digest("hex").slice(0, 24)}`, text: whole };
      this.#prepared.set(text, prepared);
    }
    return line.query({ ...prepared, values: [...values] });
  }
}
