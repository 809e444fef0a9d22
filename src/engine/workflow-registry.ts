/** The workflows that can be started by type: by version, latest or pinned, each with a hash of what it is. */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { AnyNode, WorkflowContract } from "../node/contract.ts";
import type { Registry } from "../node/registry.ts";
import type { Workflow } from "../node/workflow.ts";
import { didYouMean } from "../plan/suggest.ts";

export interface WorkflowEntry {
  readonly type: string;
  readonly version: string;
  /**
   * Of a contract: the hash of its definition, which its runs are pinned to. Of code: of name, version and the text of
   * its function, for people to compare; what that function calls is not in it.
   */
  readonly hash: string;
  /** No newer version of this type is held. */
  readonly latest: boolean;
  readonly kind: "code" | "contract";
  /** What `start` takes. */
  readonly workflow: Workflow<Json, unknown>;
}

export class WorkflowRegistry {
  readonly #registry: Registry;
  readonly #hash: (text: string) => string;

  constructor(registry: Registry, hash: (text: string) => string) {
    this.#registry = registry;
    this.#hash = hash;
  }

  /** The newest of that type, or the newest that fits `version` ("1", "1.2" or "1.2.0"). Throws OnexError `WORKFLOW_UNKNOWN`. */
  get(type: string, version?: string): WorkflowEntry {
    return this.#entry(this.#find(type, version) ?? unknown(this.#registry, type, version));
  }
  /** The newest of that type. Throws OnexError `WORKFLOW_UNKNOWN`. */
  latest(type: string): WorkflowEntry {
    return this.get(type);
  }
  has(type: string, version?: string): boolean {
    return this.#find(type, version) !== undefined;
  }
  /** By type, the newest version first. */
  list(): readonly WorkflowEntry[] {
    return this.#registry
      .all("workflow")
      .map((node) => this.#entry(node))
      .sort((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0));
  }

  #find(type: string, version: string | undefined): AnyNode | undefined {
    return this.#registry.find("workflow", version === undefined ? type : `${type}@${version}`);
  }

  #entry(node: AnyNode): WorkflowEntry {
    const { name, version, plan } = node.contract as WorkflowContract;
    const { run } = node as AnyNode & { readonly run?: unknown };
    return {
      type: name,
      version,
      hash: plan?.hash ?? this.#hash(`${name}\0${version}\0${String(run)}`),
      latest: this.#find(name, undefined) === node,
      kind: plan ? "contract" : "code",
      workflow: node as unknown as Workflow<Json, unknown>,
    };
  }
}

/** Refuses a type, or a version of one, that is not held. Throws OnexError `WORKFLOW_UNKNOWN` with those that are. */
export function unknown(registry: Registry, type: string, version: string | undefined): never {
  const held = registry.all("workflow").map(({ contract }) => contract);
  const versions = held.filter(({ name }) => name === type).map((contract) => contract.version);
  const names = [...new Set(held.map(({ name }) => name))];
  const asked = `"${type}"${version === undefined ? "" : `@${version}`}`;
  if (versions.length > 0)
    throw new OnexError(
      "WORKFLOW_UNKNOWN",
      `this orchestrator holds no workflow ${asked}; of "${type}" it holds ${versions.join(", ")}: add the version to \`nodes\``,
    );
  throw new OnexError(
    "WORKFLOW_UNKNOWN",
    `this orchestrator holds no workflow ${asked}; it holds ${names.length === 0 ? "none" : names.join(", ")}: add it to \`nodes\`.${didYouMean(type, names)}`,
  );
}
