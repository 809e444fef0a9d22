/**
 * What the names of a module mean to a workflow: nodes, verbs, signals, functions. Read from the text alone, through
 * relative imports: nothing is run. What cannot be told for certain has no meaning, and nothing is said about it.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { AnyNode, CallExpression } from "acorn";
import { stripTypes } from "../typescript-hooks.ts";
import { analyse, type Binding, type FunctionNode, isFunction, nameOf, type Syntax } from "./syntax.ts";

/** What an expression stands for. */
export type Meaning =
  | { readonly kind: "verb"; readonly name: string }
  | { readonly kind: "definer"; readonly name: Definer }
  | { readonly kind: "node"; readonly of: Definer | "yaml"; readonly call: CallExpression }
  | { readonly kind: "signal"; readonly call: CallExpression }
  | { readonly kind: "namespace"; readonly file: string }
  | { readonly kind: "function"; readonly node: FunctionNode; readonly module: Module };

type Definer = "compute" | "effect" | "stream" | "reducer" | "workflow" | "signal";
const definers: readonly string[] = ["compute", "effect", "stream", "reducer", "workflow", "signal"];
const loaders: readonly string[] = ["loadWorkflow", "onexReducer", "planWorkflow"];
const verbs: readonly string[] = [
  "all",
  "race",
  "each",
  "attempt",
  "sleep",
  "sleepUntil",
  "compensate",
  "restart",
  "now",
  "random",
  "uuid",
];

export interface Module extends Syntax {
  readonly file: string;
  /** Its text as it stands in the file. */
  readonly text: string;
}

/** More than any project imports from one workflow; a bound against circles of generated code. */
const mostModules = 500;
const endings = [".ts", ".mts", ".js", ".mjs"];

export class Modules {
  readonly #modules = new Map<string, Module>();

  /** The module with all that it imports by relative paths. Throws what stripping and parsing throw, for `file` alone. */
  static async from(file: string): Promise<{ readonly modules: Modules; readonly main: Module }> {
    const modules = new Modules();
    const main = await modules.#read(resolve(file));
    const open = [main];
    for (let next = open.pop(); next; next = open.pop())
      for (const from of sourcesOf(next)) {
        const path = fileOf(next.file, from);
        if (path === undefined || modules.#modules.has(path) || modules.#modules.size >= mostModules) continue;
        try {
          open.push(await modules.#read(path));
        } catch {
          // It cannot be read or parsed: loading it says so, and its names have no meaning here.
        }
      }
    return { modules, main };
  }

  get all(): Iterable<Module> {
    return this.#modules.values();
  }

  async #read(file: string): Promise<Module> {
    const { parse } = await import("acorn");
    const text = readFileSync(file, "utf8");
    // Types become spaces: every place stays that of the file.
    const source = /\.m?ts$/.test(file) ? await stripTypes(text, file) : text;
    const program = parse(source, { ecmaVersion: "latest", sourceType: "module", locations: true, allowHashBang: true });
    const module = { ...analyse(program), file, text };
    this.#modules.set(file, module);
    return module;
  }

  meaning(module: Module, expression: AnyNode, depth = 0): Meaning | undefined {
    if (depth > 50) return undefined;
    if (isFunction(expression)) return { kind: "function", node: expression, module };
    switch (expression.type) {
      case "Identifier": {
        const binding = module.binding(expression);
        return binding && this.#ofBinding(module, binding, depth + 1);
      }
      case "MemberExpression": {
        if (expression.computed || expression.property.type !== "Identifier") return undefined;
        const object = this.meaning(module, expression.object, depth + 1);
        return object?.kind === "namespace" ? this.#exported(object.file, expression.property.name, depth + 1) : undefined;
      }
      case "AwaitExpression":
        return this.meaning(module, expression.argument, depth + 1);
      case "CallExpression": {
        const callee = this.meaning(module, expression.callee, depth + 1);
        if (callee?.kind !== "definer")
          return this.#isLoader(module, expression) ? { kind: "node", of: "yaml", call: expression } : undefined;
        return callee.name === "signal" ? { kind: "signal", call: expression } : { kind: "node", of: callee.name, call: expression };
      }
      default:
        return undefined;
    }
  }

  #ofBinding(module: Module, binding: Binding, depth: number): Meaning | undefined {
    if (binding.writes.length > 0) return undefined;
    const { imported } = binding;
    if (!imported) return binding.value && this.meaning(module, binding.value, depth);
    if (isOnex(imported.from)) return imported.as === "*" ? { kind: "namespace", file: "onex" } : ofOnex(imported.as);
    const file = fileOf(module.file, imported.from);
    if (file === undefined || !this.#modules.has(file)) return undefined;
    return imported.as === "*" ? { kind: "namespace", file } : this.#exported(file, imported.as, depth);
  }

  /** What a module exports under a name. */
  #exported(file: string, name: string, depth: number): Meaning | undefined {
    if (isOnex(file)) return ofOnex(name);
    const module = this.#modules.get(file);
    if (!module || depth > 50) return undefined;
    const stars: string[] = [];
    for (const statement of module.program.body) {
      if (statement.type === "ExportDefaultDeclaration" && name === "default")
        return this.meaning(module, statement.declaration as AnyNode, depth);
      if (statement.type === "ExportAllDeclaration" && !statement.exported) stars.push(String(statement.source.value));
      if (statement.type !== "ExportNamedDeclaration") continue;
      const named = statement.specifiers.find((one) => nameOf(one.exported) === name);
      if (named && statement.source) return this.#through(module, String(statement.source.value), nameOf(named.local), depth);
      const local = named ? nameOf(named.local) : declares(statement.declaration, name) ? name : undefined;
      const binding = local === undefined ? undefined : module.top(local);
      if (binding) return this.#ofBinding(module, binding, depth + 1);
    }
    for (const from of stars) {
      const found = this.#through(module, from, name, depth);
      if (found) return found;
    }
    return undefined;
  }

  #through(module: Module, from: string, name: string, depth: number): Meaning | undefined {
    const file = isOnex(from) ? "onex" : fileOf(module.file, from);
    return file === undefined ? undefined : this.#exported(file, name, depth + 1);
  }

  #isLoader(module: Module, call: CallExpression): boolean {
    const binding = call.callee.type === "Identifier" ? module.binding(call.callee) : undefined;
    return binding?.imported !== undefined && isOnex(binding.imported.from) && loaders.includes(binding.imported.as);
  }
}

function ofOnex(name: string): Meaning | undefined {
  if (verbs.includes(name)) return { kind: "verb", name };
  return definers.includes(name) ? { kind: "definer", name: name as Definer } : undefined;
}

function isOnex(from: string): boolean {
  return from === "onex";
}

function declares(declaration: AnyNode | null | undefined, name: string): boolean {
  if (declaration?.type === "VariableDeclaration")
    return declaration.declarations.some(({ id }) => id.type === "Identifier" && id.name === name);
  return declaration?.type === "FunctionDeclaration" && declaration.id?.name === name;
}

/** What a module imports or passes on. */
function sourcesOf({ program }: Module): string[] {
  return program.body.flatMap((statement) =>
    (statement.type === "ImportDeclaration" || statement.type === "ExportNamedDeclaration" || statement.type === "ExportAllDeclaration") &&
    statement.source
      ? [String(statement.source.value)]
      : [],
  );
}

/** The file of a relative import; undefined when there is none. */
function fileOf(importer: string, from: string): string | undefined {
  if (!from.startsWith("./") && !from.startsWith("../")) return undefined;
  const path = resolve(dirname(importer), from);
  return endings.some((ending) => path.endsWith(ending)) && existsSync(path) && statSync(path).isFile() ? path : undefined;
}
