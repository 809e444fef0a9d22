/** Writes schemas/*.schema.json, the JSON Schemas that editors are pointed to, from the built package. */
import { mkdirSync, writeFileSync } from "node:fs";
import { documents, schemaText } from "../dist/cli/schema/documents.js";

const folder = new URL("../schemas/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const name of Object.keys(documents)) writeFileSync(new URL(`${name}.schema.json`, folder), schemaText(name));
