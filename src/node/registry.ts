/** Nodes by kind, name and version. Two with one name and version are `NODE_DUPLICATE`. */
import { OnexError } from "../core/failure.ts";
import { shown } from "../core/fields.ts";
import type { NodeKind } from "../core/operation.ts";
import type { AnyNode, Contract, NodeSource, WorkflowContract } from "./contract.ts";

/** Throws OnexError `OPTION_INVALID` for what is no list of nodes. */
export function checkNodes(nodes: unknown): void {
  if (!Array.isArray(nodes)) throw new OnexError("OPTION_INVALID", `nodes is ${shown(nodes)}: give a list, such as [checkout, chargeCard]`);
  for (const [i, node] of nodes.entries())
    if (typeof (node as Partial<AnyNode> | null | undefined)?.contract?.name !== "string")
      throw new OnexError(
        "OPTION_INVALID",
        `nodes[${i}] is ${shown(node)}: give what compute, effect, stream, reducer, workflow or loadWorkflow answered (loadWorkflow and onexReducer with await)`,
      );
}

export class Registry implements NodeSource {
  readonly #nodes = new Map<string, AnyNode[]>();

  constructor(nodes: readonly AnyNode[]) {
    for (const node of nodes) this.#add(node);
  }

  #add(node: AnyNode): void {
    const { name, version } = node.contract;
    const versions = this.#nodes.get(name) ?? [];
    const twin = versions.find((other) => other.contract.version === version);
    if (twin === node) return;
    if (twin)
      throw new OnexError(
        "NODE_DUPLICATE",
        `two nodes are named ${name}@${version} (${describe(twin)} and ${describe(node)}): give one another name or version`,
      );
    versions.push(node);
    versions.sort((a, b) => compareVersions(b.contract.version, a.contract.version));
    this.#nodes.set(name, versions);
  }

  /** The newest node that fits `name`, `name@major`, `name@major.minor` or `name@major.minor.patch`. */
  find(kind: NodeKind, reference: string): AnyNode | undefined {
    const at = reference.indexOf("@");
    const name = at < 0 ? reference : reference.slice(0, at);
    const pin = at < 0 ? undefined : reference.slice(at + 1);
    return this.#nodes.get(name)?.find(({ contract }) => contract.kind === kind && fits(contract.version, pin));
  }

  /** All nodes of a kind; of one name the newest version first. */
  all(kind: NodeKind): readonly AnyNode[] {
    return [...this.#nodes.values()].flat().filter(({ contract }) => contract.kind === kind);
  }

  /** Whether there is a node of that name, of any kind and version. */
  holds(name: string): boolean {
    return this.#nodes.has(name);
  }

  names(kind: NodeKind): readonly string[] {
    return [...this.#nodes].filter(([, versions]) => versions.some(({ contract }) => contract.kind === kind)).map(([name]) => name);
  }

  contracts(): readonly Contract[] {
    return [...this.#nodes.values()].flat().map((node) => node.contract);
  }
}

/** A node in words, with the file that it came from. */
function describe({ contract }: AnyNode): string {
  const file = (contract as Partial<WorkflowContract>).plan?.file;
  return `${contract.kind === "effect" ? "an" : "a"} ${contract.kind}${file === undefined ? "" : ` of ${file}`}`;
}

function fits(version: string, pin: string | undefined): boolean {
  return pin === undefined || version === pin || version.startsWith(`${pin}.`);
}

function compareVersions(a: string, b: string): number {
  const left = a.split(/[.-]/).map(Number);
  const right = b.split(/[.-]/).map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.includes("-") === b.includes("-") ? 0 : a.includes("-") ? -1 : 1;
}
