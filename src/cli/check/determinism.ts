/** The clock, randomness, timers, the network and the environment, used by code that must give the same answer on replay. */
import type { AnyNode, Identifier } from "acorn";
import type { Module, Modules } from "./modules.ts";
import type { Deciders, Say } from "./operations.ts";
import { below, isFunction } from "./syntax.ts";

const timer = "write `yield* sleep(…)`";
const acts = "do it in an effect";
const join = "write `yield* all(…)` or `yield* race(…)`";
/** Of globals, by how they are called. */
const calls: Readonly<Record<string, string>> = {
  "Date.now": "write `yield* now()` in a workflow, or pass the time as input",
  Date: "write `yield* now()`",
  "performance.now": "write `yield* now()`",
  "process.hrtime": "write `yield* now()`",
  "Math.random": "write `yield* random()`",
  "crypto.randomUUID": "write `yield* uuid()`",
  "crypto.getRandomValues": "write `yield* random()`",
  fetch: "call it in an effect",
  setTimeout: timer,
  setInterval: timer,
  setImmediate: timer,
  "Promise.all": join,
  "Promise.allSettled": join,
  "Promise.any": join,
  "Promise.race": join,
};
const env = "pass it as input, or read it in a service";
/** Of Node's modules: any call of these acts, or answers otherwise each time. */
const modules: Readonly<Record<string, string | Readonly<Record<string, string>>>> = {
  crypto: { randomUUID: "write `yield* uuid()`", randomBytes: "write `yield* random()`", randomInt: "write `yield* random()`" },
  perf_hooks: "write `yield* now()`",
  timers: timer,
  "timers/promises": timer,
  fs: acts,
  "fs/promises": acts,
  child_process: acts,
  http: acts,
  https: acts,
  http2: acts,
  net: acts,
  dgram: acts,
  dns: acts,
  os: acts,
};

export function checkDeterminism(program: Modules, module: Module, { generators, pure }: Deciders, say: Say): void {
  const said = new Set<AnyNode>();
  const effects = (node: AnyNode): boolean => {
    // The function of an effect that is defined in here runs elsewhere, and not on replay.
    const parent = isFunction(node) ? module.parent(node) : undefined;
    const callee = parent?.type === "CallExpression" ? program.meaning(module, parent.callee) : undefined;
    return callee?.kind === "definer" && (callee.name === "effect" || callee.name === "stream");
  };
  for (const decider of [...generators, ...pure])
    for (const node of below(decider, (child) => !effects(child))) {
      const used = said.has(node) ? undefined : usedBy(module, node);
      if (!used) continue;
      said.add(node);
      say(
        used.level,
        "NONDETERMINISTIC",
        node,
        `\`${used.what}\` may give another answer on replay, and workflows, computes and reducers must not use it: ${used.instead}`,
      );
    }
}

interface Used {
  readonly level: "error" | "warning";
  readonly what: string;
  readonly instead: string;
}

function usedBy(module: Module, node: AnyNode): Used | undefined {
  if (node.type === "NewExpression" && node.arguments.length === 0 && globalPath(module, node.callee) === "Date")
    return { level: "error", what: "new Date()", instead: "write `new Date(yield* now())`" };
  if (node.type === "MemberExpression" && globalPath(module, node) === "process.env")
    return { level: "warning", what: "process.env", instead: env };
  if (node.type !== "CallExpression") return undefined;
  const path = globalPath(module, node.callee);
  const instead = path !== undefined && Object.hasOwn(calls, path) ? calls[path] : undefined;
  if (instead !== undefined) return { level: "error", what: `${path}()`, instead };
  const imported = ofNode(module, node.callee);
  return imported && { level: "error", ...imported };
}

/** `Math.random`, of the global of that name; undefined when it is shadowed, or computed. */
function globalPath(module: Module, node: AnyNode): string | undefined {
  if (node.type === "Identifier") return module.binding(node) ? undefined : node.name;
  if (node.type !== "MemberExpression" || node.computed || node.property.type !== "Identifier") return undefined;
  const object = globalPath(module, node.object);
  if (object === undefined) return undefined;
  return object === "globalThis" ? node.property.name : `${object}.${node.property.name}`;
}

/** A call of what was imported from one of Node's modules. */
function ofNode(module: Module, callee: AnyNode): { readonly what: string; readonly instead: string } | undefined {
  const path: string[] = [];
  let at = callee;
  while (at.type === "MemberExpression" && !at.computed && at.property.type === "Identifier") {
    path.unshift(at.property.name);
    at = at.object;
  }
  const imported = at.type === "Identifier" ? module.binding(at as Identifier)?.imported : undefined;
  if (!imported) return undefined;
  const known = modules[imported.from.replace(/^node:/, "")];
  if (known === undefined) return undefined;
  const name = imported.as === "*" || imported.as === "default" ? (path[0] ?? "") : imported.as;
  const instead = typeof known === "string" ? known : Object.hasOwn(known, name) ? known[name] : undefined;
  return instead === undefined ? undefined : { what: `${name}() of ${imported.from}`, instead };
}
