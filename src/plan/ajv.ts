/** The validator of JSON Schema (2020-12), with its formats, and patterns on a linear engine. It is large: see lazily.ts. */
import type * as Ajv from "ajv/dist/2020.js";
import type { Ajv2020, Options } from "ajv/dist/2020.js";
import type { FormatsPlugin } from "ajv-formats";
import { pattern } from "./cel/functions.ts";
import { lazily } from "./lazily.ts";

const ajv = lazily<typeof Ajv>("ajv/dist/2020.js");
const formats = lazily<{ readonly default: FormatsPlugin }>("ajv-formats");

/** What ajv takes for a regular expression; it keeps them apart by their text. */
const linear = Object.assign(
  (source: string) => {
    const compiled = pattern(source);
    return { test: (text: string) => compiled.matcher(text).find(), toString: () => `/${source}/` };
  },
  { code: "" },
);

/** Knows no schema yet; says nothing of keywords that it does not know. */
export function newAjv(options: Options): Ajv2020 {
  const made = new (ajv().Ajv2020)({ strict: false, logger: false, code: { regExp: linear as never }, ...options });
  formats().default(made);
  return made;
}
