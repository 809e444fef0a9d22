/**
 * What a module in TypeScript or JavaScript does wrong with operations, found in its text: calls that are never performed,
 * `yield` without star, the clock in a workflow, loops without end. Only what is certain is an error.
 */
import type { Finding } from "../../plan/finding.ts";
import { shown } from "../load.ts";
import { checkCalled } from "./called.ts";
import { checkDeterminism } from "./determinism.ts";
import { checkLoops } from "./loops.ts";
import { type Module, Modules } from "./modules.ts";
import { Operations, type Say } from "./operations.ts";

/** The findings of one module, in the order of its text; none for a file that does not parse: loading it says so. */
export async function checkCalls(file: string): Promise<Finding[]> {
  const found = await parsed(file);
  return found ? findingsOf(found.modules, found.main, file) : [];
}

/**
 * The findings of a module and of all that it imports by relative paths: of a whole node, from its entry. With `exported`
 * also of the effects that its workflows call, but for those of these names: who has them looks at them as they are.
 */
export async function checkCallsFrom(entry: string, exported?: ReadonlySet<string>): Promise<Finding[]> {
  const found = await parsed(entry);
  if (!found) return [];
  const { modules, main } = found;
  return [...modules.all].flatMap((module) => findingsOf(modules, module, module === main ? entry : shown(module.file), exported));
}

function findingsOf(modules: Modules, module: Module, file: string, exported?: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = [];
  const say: Say = (level, code, { loc }, message) => {
    const { line, column } = loc?.start ?? { line: 0, column: -1 };
    findings.push({ level, code, message, file, line, column: column + 1 });
  };
  const operations = new Operations(modules, module);
  const deciders = operations.deciders();
  operations.check(deciders, say);
  checkDeterminism(modules, module, deciders, say);
  checkLoops(modules, module, deciders, say);
  if (exported) checkCalled(modules, module, exported, say);
  return findings.sort((a, b) => a.line - b.line || a.column - b.column);
}

async function parsed(file: string): Promise<Awaited<ReturnType<typeof Modules.from>> | undefined> {
  try {
    return await Modules.from(file);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
