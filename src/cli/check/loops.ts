/** Loops of workflows that never end, or whose history grows until the run fails. */
import type { AnyNode, BreakStatement, DoWhileStatement, ForStatement, WhileStatement } from "acorn";
import type { Module, Modules } from "./modules.ts";
import type { Deciders, Say } from "./operations.ts";
import { below, isFunction } from "./syntax.ts";

type Loop = WhileStatement | DoWhileStatement | ForStatement;

export function checkLoops(modules: Modules, module: Module, { generators }: Deciders, say: Say): void {
  for (const generator of generators)
    for (const node of below(generator, (child) => !isFunction(child))) {
      if (!isEndless(node)) continue;
      const inside = [...below(node, (child) => !isFunction(child))];
      const ends = inside.some((each) => leaves(module, each, node) || isRestart(modules, module, each));
      if (ends) continue;
      if (inside.some((each) => each.type === "YieldExpression"))
        say(
          "warning",
          "HISTORY_TOO_LONG",
          node,
          "this loop never ends, and every turn of it adds to the history of the run: leave it after a number of turns with `return yield* restart(input)`, which begins a new history",
        );
      else
        say(
          "warning",
          "LOOP_ENDLESS",
          node,
          "this loop never ends and performs nothing, so the process stands still in it: give it a condition, or `yield*` something in it",
        );
    }
}

function isEndless(node: AnyNode): node is Loop {
  if (node.type === "ForStatement") return !node.test || isTrue(node.test);
  return (node.type === "WhileStatement" || node.type === "DoWhileStatement") && isTrue(node.test);
}

function isTrue(test: AnyNode): boolean {
  return test.type === "Literal" && (test.value === true || test.value === 1);
}

/** Whether a statement leads out of the loop. */
function leaves(module: Module, node: AnyNode, loop: Loop): boolean {
  if (node.type === "ReturnStatement" || node.type === "ThrowStatement") return true;
  return node.type === "BreakStatement" && (node.label ? leavesByLabel(module, node, loop) : target(module, node) === loop);
}

/** What a `break` without a label leaves. */
function target(module: Module, node: BreakStatement): AnyNode | undefined {
  for (let at = module.parent(node); at; at = module.parent(at))
    if (/^(?:For(?:In|Of)?|While|DoWhile|Switch)Statement$/.test(at.type)) return at;
  return undefined;
}

function leavesByLabel(module: Module, { label }: BreakStatement, loop: Loop): boolean {
  for (let at = module.parent(loop); at && !isFunction(at); at = module.parent(at))
    if (at.type === "LabeledStatement" && at.label.name === label?.name) return true;
  return false;
}

function isRestart(modules: Modules, module: Module, node: AnyNode): boolean {
  if (node.type !== "CallExpression") return false;
  const meaning = modules.meaning(module, node.callee);
  return meaning?.kind === "verb" && meaning.name === "restart";
}
