/** The signals that a workflow in code waits for, read from its text, with the schemas of those that can be got hold of. */
import type { AnyNode, CallExpression } from "acorn";
import type { Schema } from "../../node/schema.ts";
import type { Importer } from "./models.ts";
import { type Module, Modules } from "./modules.ts";
import { below, type FunctionNode } from "./syntax.ts";

interface InCode {
  /** Undefined when the module that defines the signal does not export it. */
  readonly payload: Schema | undefined;
}

/**
 * By name; undefined when the text does not tell all of them: no such workflow, a signal whose name is computed, an entry
 * that is not read.
 */
export async function signalsOf(entry: string, workflow: string, importer: Importer): Promise<ReadonlyMap<string, InCode> | undefined> {
  let modules: Modules;
  try {
    ({ modules } = await Modules.from(entry));
  } catch {
    return undefined;
  }
  const begin = generatorOf(modules, workflow);
  if (!begin) return undefined;
  const found = new Map<string, InCode>();
  const seen = new Set<FunctionNode>();
  const open = [begin];
  for (let next = open.pop(); next; next = open.pop()) {
    if (seen.has(next.node)) continue;
    seen.add(next.node);
    for (const node of below(next.node)) {
      if (node.type !== "CallExpression") continue;
      const called = modules.meaning(next.module, node.callee);
      if (called?.kind === "function") open.push(called);
      const waited = waitedFor(modules, next.module, node);
      if (!waited) continue;
      const name = nameIn(waited.call);
      if (name === undefined) return undefined;
      const from = [...modules.all].find((module) => [...below(module.program)].includes(waited.call));
      found.set(name, { payload: from && payloadOf(await importer(from.file), name) });
    }
  }
  return found;
}

function waitedFor(modules: Modules, module: Module, { callee }: CallExpression): { readonly call: CallExpression } | undefined {
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier" || callee.property.name !== "wait") return undefined;
  const object = modules.meaning(module, callee.object);
  return object?.kind === "signal" ? object : undefined;
}

/** The generator of the workflow that is defined under a name. */
function generatorOf(modules: Modules, workflow: string): { readonly node: FunctionNode; readonly module: Module } | undefined {
  for (const module of modules.all)
    for (const node of below(module.program)) {
      if (node.type !== "CallExpression" || nameIn(node) !== workflow) continue;
      const meaning = modules.meaning(module, node);
      const run = node.arguments[1];
      const found = meaning?.kind === "node" && meaning.of === "workflow" && run ? modules.meaning(module, run) : undefined;
      if (found?.kind === "function") return found;
    }
  return undefined;
}

/** The `name` of a definition, where it is plain text. */
function nameIn({ arguments: [spec] }: CallExpression): string | undefined {
  if (spec?.type !== "ObjectExpression") return undefined;
  for (const property of spec.properties)
    if (property.type === "Property" && !property.computed && isNamed(property.key, "name"))
      return property.value.type === "Literal" && typeof property.value.value === "string" ? property.value.value : undefined;
  return undefined;
}

function isNamed(key: AnyNode, name: string): boolean {
  return key.type === "Identifier" ? key.name === name : key.type === "Literal" && key.value === name;
}

function payloadOf(exported: Readonly<Record<string, unknown>>, name: string): Schema | undefined {
  for (const value of Object.values(exported)) {
    if (typeof value !== "object" || value === null) continue;
    const { name: own, payload, wait } = value as { readonly name?: unknown; readonly payload?: Schema; readonly wait?: unknown };
    if (own === name && typeof wait === "function" && payload?.["~standard"] !== undefined) return payload;
  }
  return undefined;
}
