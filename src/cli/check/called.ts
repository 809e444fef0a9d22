/**
 * Effects that a workflow calls and its module does not export: they travel with it, and nobody else sees them, so what they
 * leave unsaid is read from their definitions. Only what stands there literally counts: a spread, a name or a condition may say anything.
 */
import type { AnyNode, CallExpression, ObjectExpression } from "acorn";
import { durationMs } from "../../core/duration.ts";
import type { Module, Modules } from "./modules.ts";
import { weaknesses } from "./nodes.ts";
import { Operations, type Say } from "./operations.ts";
import { below } from "./syntax.ts";

/** What is written in the object of a definition; undefined for one that is not written out. */
type Said = ReadonlyMap<string, AnyNode>;

/** Says what there is to say of the effects that are defined in `module` and called by a workflow, but for those named in `exported`. */
export function checkCalled(modules: Modules, module: Module, exported: ReadonlySet<string>, say: Say): void {
  const called = calledIn(modules);
  for (const node of below(module.program)) {
    if (node.type !== "CallExpression") continue;
    const said = saidBy(node.arguments[0]);
    if (!said) continue;
    if (called.has(node)) ofEffect(said, exported, say);
    const run = node.arguments[1];
    const definer = modules.meaning(module, node.callee);
    const decides = run && modules.meaning(module, run);
    if (definer?.kind === "definer" && definer.name === "workflow" && decides?.kind === "function" && decides.module === module)
      ofCalls(modules, module, decides.node, text(said.get("timeout")), say);
  }
}

function ofEffect(said: Said, exported: ReadonlySet<string>, say: Say): void {
  const at = said.get("name");
  const name = text(at);
  if (!at || name === undefined || exported.has(name)) return;
  const weak = weaknesses({
    isRetried: attemptsOf(said) > 1,
    isSentAgain: text(said.get("inDoubt")) === "retry",
    isRepeatable: isRepeatable(said),
    saysUndo: said.has("undo") || said.has("irreversible") || isSaid(said, "readonly"),
  });
  for (const { level, code, message } of weak) say(level, code, at, `effect ${name} ${message}`);
}

/** What the calls in a workflow say against the run, and against the effect. */
function ofCalls(modules: Modules, module: Module, generator: AnyNode, timeout: string | undefined, say: Say): void {
  const runMs = timeout === undefined ? undefined : milliseconds(timeout);
  for (const node of below(generator)) {
    if (node.type !== "CallExpression") continue;
    const meaning = modules.meaning(module, node.callee);
    if (meaning?.kind !== "node" || meaning.of !== "effect") continue;
    const effect = saidBy(meaning.call.arguments[0]);
    const options = saidBy(node.arguments[1]);
    if (node.arguments[1] && !options) continue;
    const declared = text(options?.get("timeout") ?? effect?.get("timeout"));
    const ms = declared === undefined ? undefined : milliseconds(declared);
    if (ms !== undefined && runMs !== undefined && ms > runMs)
      say(
        "warning",
        "TIMEOUT_BEYOND",
        node,
        `one attempt may take ${declared}, longer than the run's timeout (${timeout}), which ends it first; shorten it, or lengthen that one`,
      );
    if (effect && options && attemptsOf(options) > 1 && !isRepeatable(effect) && attemptsOf(effect) < 2)
      say(
        "error",
        "RETRY_NOT_IDEMPOTENT",
        node,
        "an effect is retried here that does not say that it may be: `idempotent: true` in its definition when the same idempotency key never acts twice, else no `retry`",
      );
  }
}

/** How often it is tried, as far as `retry` says so. */
function attemptsOf(said: Said): number {
  const retry = saidBy(said.get("retry"));
  if (!retry) return 1;
  const most = retry.get("maxAttempts");
  const attempts = most ? value(most) : 3;
  return typeof attempts === "number" ? attempts : 1;
}

function isRepeatable(effect: Said): boolean {
  return isSaid(effect, "idempotent") || isSaid(effect, "readonly");
}
/** Said, and not as `false`. */
function isSaid(said: Said, key: string): boolean {
  return said.has(key) && value(said.get(key)) !== false;
}

const found = new WeakMap<Modules, ReadonlySet<CallExpression>>();

/** The definitions of the effects and streams that stand in workflows, and in generators that these go on with. */
function calledIn(modules: Modules): ReadonlySet<CallExpression> {
  const known = found.get(modules);
  if (known) return known;
  const called = new Set<CallExpression>();
  for (const module of modules.all)
    for (const generator of new Operations(modules, module).deciders().generators)
      for (const node of below(generator)) {
        if (node.type !== "Identifier" && node.type !== "MemberExpression") continue;
        const meaning = modules.meaning(module, node);
        if (meaning?.kind === "node" && (meaning.of === "effect" || meaning.of === "stream")) called.add(meaning.call);
      }
  found.set(modules, called);
  return called;
}

function saidBy(node: AnyNode | undefined): Said | undefined {
  return node?.type === "ObjectExpression" ? properties(node) : undefined;
}

function properties({ properties }: ObjectExpression): Said | undefined {
  const said = new Map<string, AnyNode>();
  for (const property of properties) {
    if (property.type !== "Property" || property.computed) return undefined;
    const { key } = property;
    if (key.type === "Identifier") said.set(key.name, property.value);
    else if (key.type === "Literal") said.set(String(key.value), property.value);
  }
  return said;
}

function value(node: AnyNode | undefined): unknown {
  return node?.type === "Literal" ? node.value : undefined;
}
function text(node: AnyNode | undefined): string | undefined {
  const found = value(node);
  return typeof found === "string" ? found : undefined;
}

/** Undefined for what is no duration: loading the module says so. */
function milliseconds(duration: string): number | undefined {
  try {
    return durationMs(duration);
  } catch {
    return undefined;
  }
}
