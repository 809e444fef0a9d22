import type { Schema } from "../../src/index.ts";

/** Takes every value as it is: these tests are about what survives, not about types. */
// biome-ignore lint/suspicious/noExplicitAny: it stands for all types
export const any: Schema<any, any> = {
  "~standard": { version: 1, vendor: "onex-faults", validate: (value: unknown) => ({ value }) },
};
