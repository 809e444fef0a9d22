/** How many items a list can have, by what the contract says of it. */
import type { ASTNode } from "@marcbachmann/cel-js";
import type { Json } from "../../core/json.ts";
import { isJsonMap } from "../parse-value.ts";
import { point } from "../schema-type.ts";
import type { Read } from "../workflow.ts";

/** At most so many items; `Infinity`: its schema in the input sets no limit; undefined: nothing is said of it. */
export function mostItems(ast: ASTNode, read: Read): number | undefined {
  if (ast.op === "list") return ast.args.length;
  if (ast.op === "rcall") {
    const [name, receiver] = ast.args;
    return name === "filter" || name === "map" ? mostItems(receiver, read) : undefined;
  }
  const constant = valueAt(ast, read.flow.values);
  if (Array.isArray(constant)) return constant.length;
  const found = schemaAt(ast, read);
  if (found?.schema.type !== "array") return undefined;
  const { maxItems } = found.schema;
  return typeof maxItems === "number" ? maxItems : Number.POSITIVE_INFINITY;
}

function valueAt(ast: ASTNode, values: Json): Json | undefined {
  if (ast.op === "id") return ast.args === "values" ? values : undefined;
  if (ast.op !== ".") return undefined;
  const around = valueAt(ast.args[0], values);
  return isJsonMap(around) && Object.hasOwn(around, ast.args[1]) ? around[ast.args[1]] : undefined;
}

interface Found {
  readonly schema: { readonly [key: string]: Json };
  /** The document that `#/…` points into. */
  readonly root: Json;
}

function schemaAt(ast: ASTNode, read: Read): Found | undefined {
  if (ast.op === "id") return ast.args === "input" && read.input ? followed(read.input.raw, read.input.raw, read) : undefined;
  if (ast.op !== ".") return undefined;
  const around = schemaAt(ast.args[0], read);
  const properties = around?.schema.properties;
  if (!around || !isJsonMap(properties) || !Object.hasOwn(properties, ast.args[1])) return undefined;
  return followed(properties[ast.args[1]], around.root, read);
}

/** The schema behind any references. */
function followed(schema: Json | undefined, root: Json, read: Read): Found | undefined {
  for (let hops = 0; hops < 20; hops++) {
    if (!isJsonMap(schema)) return undefined;
    if (typeof schema.$ref !== "string") return { schema, root };
    const [path = "", pointer = ""] = schema.$ref.split("#");
    // The reader of schemas has made references to files absolute.
    const document = path === "" ? root : read.input?.files.get(path.replace(/^plan:\/\/\//, ""));
    if (document === undefined) return undefined;
    schema = point(document, pointer);
    root = document;
  }
  return undefined;
}
