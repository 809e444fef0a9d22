/** The nodes that a module exports: what their definitions leave unsaid, and two that are one. */
import type { AnyNode, WorkflowContract } from "../../node/contract.ts";
import type { Finding } from "../../plan/finding.ts";
import { definitionsIn } from "./where.ts";

/** What there is to say about the nodes that the module `file` exports. */
export function checkNodes(file: string, nodes: readonly AnyNode[]): readonly Finding[] {
  const where = definitionsIn(file);
  const findings: Finding[] = [];
  const add = (level: Finding["level"], code: string, node: AnyNode, message: string) =>
    findings.push({
      level,
      code,
      ...where(node.contract.name),
      message: `${node.contract.kind} ${node.contract.name} ${message}`,
    });
  if (nodes.length === 0)
    findings.push({
      level: "warning",
      code: "MODULE_EMPTY",
      file,
      line: 0,
      column: 0,
      message: "exports no node: `export const NAME = effect(…)`",
    });
  for (const node of nodes) {
    const { contract } = node;
    if (contract.kind === "workflow" && (contract as WorkflowContract).plan === undefined && contract.timeout === undefined)
      add("warning", "TIMEOUT_MISSING", node, 'has no timeout: a run that hangs is never ended; write `timeout: "1d"` or what fits');
    if (contract.kind !== "effect") continue;
    const weak = weaknesses({
      isRetried: !!contract.retry && (contract.retry.maxAttempts ?? 3) > 1,
      isSentAgain: contract.inDoubt === "retry",
      isRepeatable: contract.idempotent === true || contract.readonly === true,
      saysUndo: contract.undo !== undefined || contract.irreversible !== undefined || contract.readonly === true,
    });
    for (const { level, code, message } of weak) add(level, code, node, message);
  }
  const twins = new Map<string, AnyNode>();
  for (const node of nodes) {
    const name = `${node.contract.name}@${node.contract.version}`;
    const twin = twins.get(name);
    if (twin) add("error", "NODE_DUPLICATE", node, `and ${twin.contract.kind} ${name} have one name and version: give one another`);
    else twins.set(name, node);
  }
  return findings;
}

/** What an effect says of itself. */
interface SaidOfEffect {
  readonly isRetried: boolean;
  /** After a crash, when nobody knows whether it happened. */
  readonly isSentAgain: boolean;
  readonly isRepeatable: boolean;
  readonly saysUndo: boolean;
}

/** What it leaves unsaid. */
export function weaknesses({
  isRetried,
  isSentAgain,
  isRepeatable,
  saysUndo,
}: SaidOfEffect): Pick<Finding, "level" | "code" | "message">[] {
  const found: Pick<Finding, "level" | "code" | "message">[] = [];
  if (isRetried && !isRepeatable)
    found.push({
      level: "error",
      code: "RETRY_NOT_IDEMPOTENT",
      message:
        "is retried, and does not say that it may be: `idempotent: true` when the same idempotency key never acts twice, else `retry: false`",
    });
  if (isSentAgain && !isRepeatable)
    found.push({
      level: "error",
      code: "RETRY_NOT_IDEMPOTENT",
      message:
        'is sent again after a crash (`inDoubt: "retry"`), and does not say that it may be: `idempotent: true`, else `inDoubt: "pause"`',
    });
  if (!saysUndo)
    found.push({
      level: "warning",
      code: "UNDO_UNSAID",
      message: 'does not say how it is taken back: `undo`, `irreversible: "why"`, or `readonly: true`',
    });
  return found;
}
