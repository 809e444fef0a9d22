/** The models that subcontracts are made from: an export of a module of the project, which describes itself as JSON Schema. */
import { existsSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { Json } from "../../core/json.ts";
import type { Schema } from "../../node/schema.ts";
import { didYouMean, oneOf } from "../../plan/suggest.ts";
import type { Exported } from "../load.ts";

/** How modules are loaded. */
export type Importer = (file: string) => Promise<Exported>;
/** Which side of a model: what may be handed in, or what comes out of it. */
export type Side = "input" | "output";

/** A model, or why there is none, in words that follow a colon. */
export type Found = { readonly schema: Schema; readonly problem?: undefined } | { readonly problem: string };

/** The model `../models/input.ts#Input`, as `file` names it. Throws what loading the module throws. */
export async function findModel(file: string, reference: string, importer: Importer): Promise<Found> {
  const [, path, name] = /^([^#]+)#([A-Za-z_$][\w$]*)$/.exec(reference) ?? [];
  if (path === undefined || name === undefined)
    return { problem: `"${reference}" is no model; write MODULE#EXPORT, such as ../models/input.ts#Input` };
  if (isAbsolute(path) || /^[a-z][a-z0-9+.-]*:/i.test(path) || path.includes("\0"))
    return { problem: `"${path}" must be a path relative to this file, such as ../models/input.ts` };
  const module = resolve(dirname(file), path);
  const project = projectOf(file);
  if (!isInside(project, module)) return { problem: `${path} leads out of the project (${project}); a model stands in the project` };
  if (!existsSync(module)) return { problem: `there is no file ${module}` };
  if (!isInside(realpathSync(project), realpathSync(module)))
    return { problem: `${path} is a link that leads out of the project (${project})` };
  const exported = await importer(module);
  const schema = exported[name];
  const names = Object.keys(exported);
  if (schema === undefined)
    return {
      problem: `${path} exports no "${name}"${names.length === 0 ? "" : `; it exports ${oneOf(names)}`}.${didYouMean(name, names)}`,
    };
  return isSchema(schema) ? { schema } : { problem: `${name} of ${path} is no schema of Standard Schema, such as z.object({ … })` };
}

interface Describing {
  readonly jsonSchema?: { readonly [S in Side]?: (options: { readonly target: string }) => unknown };
}

/** A model as JSON Schema (2020-12); or why it has none. */
export function describe(schema: Schema, side: Side): { readonly json: Json; readonly problem?: undefined } | { readonly problem: string } {
  const { jsonSchema } = schema["~standard"] as Describing;
  try {
    const described = jsonSchema?.[side]?.({ target: "draft-2020-12" });
    if (described === undefined) return { problem: "it does not describe itself as JSON Schema (zod 4.2 or later does)" };
    return { json: JSON.parse(JSON.stringify(described)) as Json };
  } catch (error) {
    return { problem: `it has no JSON Schema: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function isSchema(value: unknown): value is Schema {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    typeof (value as Partial<Schema>)["~standard"]?.validate === "function"
  );
}

/** The folder of the project that a file belongs to: the nearest with a package.json, else its own. */
export function projectOf(file: string): string {
  const own = dirname(resolve(file));
  for (let folder = own; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) return own;
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
