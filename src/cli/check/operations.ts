/** Operations that are made and never performed, and performed in the wrong way. */
import type { AnyNode, CallExpression, YieldExpression } from "acorn";
import type { Module, Modules } from "./modules.ts";
import { below, type FunctionNode, isFunction } from "./syntax.ts";

/** Says something about a node of the tree. */
export type Say = (level: "error" | "warning", code: string, at: AnyNode, message: string) => void;

/** What a call makes that only `yield*`, or another verb, puts to work. */
type Made = "operation" | "generator" | "list";

/** The functions of a module that decide, and never act. */
export interface Deciders {
  /** Generators that the engine advances: those of workflows, and their branches and helpers. */
  readonly generators: ReadonlySet<FunctionNode>;
  /** Functions of computes and reducers, and plain functions that all of these call. */
  readonly pure: ReadonlySet<FunctionNode>;
  /** The generators of workflows themselves: what they return is the output of a run. */
  readonly workflows: ReadonlySet<FunctionNode>;
}

/** Helpers that call helpers are looked through so deep; one may call itself. */
const mostHelpers = 5;

export class Operations {
  readonly #modules: Modules;
  readonly #module: Module;
  constructor(modules: Modules, module: Module) {
    this.#modules = modules;
    this.#module = module;
  }

  deciders(): Deciders {
    const workflows = new Set<FunctionNode>();
    const generators = new Set<FunctionNode>();
    const pure = new Set<FunctionNode>();
    for (const node of below(this.#module.program)) {
      if (node.type === "CallExpression") {
        const callee = this.#modules.meaning(this.#module, node.callee);
        const run = node.arguments[1];
        const found = callee?.kind === "definer" && run ? this.#modules.meaning(this.#module, run) : undefined;
        if (callee?.kind === "definer" && found?.kind === "function" && found.module === this.#module) {
          if (callee.name === "workflow") workflows.add(found.node);
          else if (callee.name === "compute" || callee.name === "reducer") pure.add(found.node);
        }
      }
      // A helper: it performs operations itself.
      if (isDelegation(node) && this.made(node.argument) === "operation") {
        const nearest = this.#module.functions(node)[0];
        if (nearest?.generator) generators.add(nearest);
      }
    }
    for (const each of workflows) generators.add(each);
    for (const node of below(this.#module.program))
      if (isFunction(node) && node.generator && this.#module.functions(node).some((outer) => generators.has(outer))) generators.add(node);
    this.#callers(generators);
    this.#follow(new Set([...generators, ...pure]), pure);
    return { workflows, generators, pure };
  }

  /** Adds the generators that go on with one of `generators`, and so on. */
  #callers(generators: Set<FunctionNode>): void {
    const delegations = [...below(this.#module.program)].filter(isDelegation);
    for (let before = -1; before !== generators.size; ) {
      before = generators.size;
      for (const node of delegations) {
        const called = this.#modules.meaning(this.#module, node.argument.callee);
        const nearest = this.#module.functions(node)[0];
        if (nearest?.generator && called?.kind === "function" && generators.has(called.node)) generators.add(nearest);
      }
    }
  }

  /** Adds the plain functions of this module that are called by name from `from`, and from those. */
  #follow(from: Set<FunctionNode>, into: Set<FunctionNode>): void {
    for (const outer of from)
      for (const node of below(outer)) {
        if (node.type !== "CallExpression") continue;
        const called = this.#modules.meaning(this.#module, node.callee);
        if (called?.kind !== "function" || called.module !== this.#module || called.node.async || from.has(called.node)) continue;
        // A set that grows while it is walked is walked to its new end.
        from.add(called.node);
        if (!called.node.generator) into.add(called.node);
      }
  }

  /** What a call makes; undefined when it makes none of these, or nobody can tell. */
  made(call: CallExpression, depth = 0): Made | undefined {
    const { callee } = call;
    const meaning = this.#modules.meaning(this.#module, callee);
    if (meaning?.kind === "verb" || meaning?.kind === "node") return "operation";
    if (meaning?.kind === "function") {
      if (meaning.node.async) return undefined;
      if (meaning.node.generator) return "generator";
      // `const ask = () => act(…)` makes what the call in it makes.
      const { body } = meaning.node;
      return depth < mostHelpers && meaning.module === this.#module && body.type === "CallExpression"
        ? this.made(body, depth + 1)
        : undefined;
    }
    if (callee.type !== "MemberExpression" || callee.computed || callee.property.type !== "Identifier") return undefined;
    const object = this.#modules.meaning(this.#module, callee.object);
    if (object?.kind === "signal") return callee.property.name === "wait" ? "operation" : undefined;
    if (object?.kind === "node") return object.of === "reducer" && callee.property.name === "read" ? "operation" : undefined;
    return (callee.property.name === "map" || callee.property.name === "flatMap") && this.#makes(call.arguments[0]) ? "list" : undefined;
  }

  /** Whether a function makes one operation for each item. */
  #makes(each: AnyNode | undefined): boolean {
    if (!each) return false;
    if (each.type === "ArrowFunctionExpression" && each.body.type === "CallExpression") return this.made(each.body) !== undefined;
    const meaning = this.#modules.meaning(this.#module, each);
    return meaning?.kind === "node" || (meaning?.kind === "function" && meaning.node.generator === true && meaning.node.async !== true);
  }

  check({ generators, workflows }: Deciders, say: Say): void {
    for (const node of below(this.#module.program)) {
      if (node.type === "AwaitExpression" && node.argument.type === "CallExpression" && this.made(node.argument) === "operation")
        say(
          "error",
          "OPERATION_AWAITED",
          node,
          `\`await ${this.#text(node.argument)}\`: an operation cannot be awaited. In a workflow write \`yield*\`; an effect cannot call nodes`,
        );
      const around = this.#module.functions(node);
      if (!around.some((outer) => outer.generator && !outer.async)) continue;
      if (node.type === "YieldExpression" && !node.delegate && around[0] && generators.has(around[0]))
        this.#bareYield(node.argument, node, say);
      if (node.type === "CallExpression") this.#call(node, workflows, say);
    }
  }

  #bareYield(argument: AnyNode | null | undefined, at: AnyNode, say: Say): void {
    const given = argument ? this.#text(argument) : "";
    say(
      "error",
      "OPERATION_NOT_PERFORMED",
      at,
      argument
        ? `\`yield ${given}\` has no star: write \`yield* ${given}\``
        : "`yield` alone performs nothing: write `yield*` and an operation",
    );
  }

  #call(call: CallExpression, workflows: ReadonlySet<FunctionNode>, say: Say): void {
    if (this.#isForEach(call))
      say(
        "error",
        "OPERATION_NOT_PERFORMED",
        call,
        `\`${this.#text(call)}\` makes operations and drops them: write \`yield* each(items, …)\`, or a \`for\` loop with \`yield*\``,
      );
    const made = this.made(call);
    const fate = made && this.#fate(call, made, workflows);
    if (!made || !fate) return;
    const text = this.#text(call);
    const remedy = made === "list" ? `write \`yield* all(${text})\`` : `write \`yield* ${text}\``;
    if (fate === "read")
      say("error", "OPERATION_NOT_PERFORMED", call, `\`${text}\` is used as if it were its result: write \`(yield* ${text})\``);
    else if (fate === "returned")
      say("error", "OPERATION_NOT_PERFORMED", call, `\`${text}\` is returned and never performed: write \`return yield* ${text}\``);
    else {
      const what = made === "list" ? "makes operations that are never performed" : "is made and never performed";
      say(
        "error",
        "OPERATION_NOT_PERFORMED",
        call,
        `\`${text}\` ${what}${fate === "unused" ? " (what it is assigned to is never used)" : ""}: ${remedy}`,
      );
    }
  }

  #isForEach({ callee, arguments: [each] }: CallExpression): boolean {
    return (
      callee.type === "MemberExpression" &&
      !callee.computed &&
      callee.property.type === "Identifier" &&
      callee.property.name === "forEach" &&
      this.#makes(each)
    );
  }

  /** What becomes of what a call makes: undefined when it may be performed. */
  #fate(call: CallExpression, made: Made, workflows: ReadonlySet<FunctionNode>): "dropped" | "unused" | "read" | "returned" | undefined {
    let node: AnyNode = call;
    for (;;) {
      const parent = this.#module.parent(node);
      switch (parent?.type) {
        case "ExpressionStatement":
          return "dropped";
        case "UnaryExpression":
          return parent.operator === "void" ? "dropped" : made === "operation" && parent.operator !== "typeof" ? "read" : undefined;
        case "SequenceExpression":
          if (parent.expressions.at(-1) !== node) return "dropped";
          break;
        case "LogicalExpression":
          if (parent.left === node) return undefined;
          break;
        case "ConditionalExpression":
          if (parent.test === node) return made === "operation" ? "read" : undefined;
          break;
        case "IfStatement":
          return made === "operation" ? "read" : undefined;
        case "ChainExpression":
          break;
        case "BinaryExpression":
        case "TemplateLiteral":
          return made === "operation" ? "read" : undefined;
        case "MemberExpression":
          return made === "operation" && parent.object === node && !isOwn(parent.property) ? "read" : undefined;
        case "VariableDeclarator":
          if (parent.id.type === "ObjectPattern") return made === "operation" ? "read" : undefined;
          return parent.id.type === "Identifier" && this.#module.binding(parent.id)?.reads.length === 0 ? "unused" : undefined;
        case "ReturnStatement": {
          const nearest = this.#module.functions(parent)[0];
          return made !== "list" && nearest && workflows.has(nearest) ? "returned" : undefined;
        }
        default:
          return undefined;
      }
      node = parent;
    }
  }

  /** The source of a node, as much as a message bears. */
  #text(node: AnyNode): string {
    const text = this.#module.text.slice(node.start, node.end).replace(/\s+/g, " ");
    return text.length > 60 ? `${text.slice(0, 40)}…` : text;
  }
}

/** `yield* f(…)`. */
function isDelegation(node: AnyNode): node is YieldExpression & { readonly argument: CallExpression } {
  return node.type === "YieldExpression" && node.delegate && node.argument?.type === "CallExpression";
}

/** What an operation has itself. */
function isOwn(property: AnyNode): boolean {
  return property.type !== "Identifier" || ["next", "return", "throw", "then"].includes(property.name);
}
