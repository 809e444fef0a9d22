/** The workflows that this process holds, YAML definitions of earlier files included: a run is pinned to what it started with. */
import type { Started } from "../core/fact.ts";
import type { PlanSource, WorkflowContract } from "../node/contract.ts";
import type { Registry } from "../node/registry.ts";
import type { OpenStore } from "../store/store.ts";
import { unknown } from "./workflow-registry.ts";

/** Makes the workflow of a stored definition. Throws OnexError `CONTRACT_INVALID` for one that cannot be read. */
export type Restore = (stored: string) => { readonly contract: WorkflowContract };

export class Definitions {
  readonly #registry: Registry;
  #restore: Restore | undefined;
  readonly #kept = new Set<string>();
  /** Workflows made from stored definitions, by hash. */
  readonly stored = new Map<string, WorkflowContract>();

  /** Workflows that others call in code, by name and version. */
  readonly #learnt = new Map<string, WorkflowContract>();

  /** @param restore Undefined in a process that drives no runs: it is loaded when it is needed, since it is large. */
  constructor(registry: Registry, restore: Restore | undefined) {
    this.#registry = registry;
    this.#restore = restore;
  }

  learn(contract: WorkflowContract): void {
    const name = `${contract.name}@${contract.version}`;
    if (contract.plan === undefined && !this.#learnt.has(name)) this.#learnt.set(name, contract);
  }

  find(started: Pick<Started, "workflow" | "version" | "definition">): WorkflowContract | undefined {
    const name = `${started.workflow}@${started.version}`;
    const contract = (this.#registry.find("workflow", name)?.contract as WorkflowContract | undefined) ?? this.#learnt.get(name);
    if (started.definition === undefined) return contract?.version === started.version ? contract : undefined;
    if (contract?.plan?.hash === started.definition) return contract;
    return this.stored.get(started.definition);
  }

  /** Whether this process has seen to it that the definition is in the store. */
  keeps(plan: PlanSource): boolean {
    return this.#kept.has(plan.hash);
  }
  /** Keeps a definition in the store, before the first run that is pinned to it. Throws what the store throws. */
  keep(store: OpenStore, plan: PlanSource): void | Promise<void> {
    if (this.#kept.has(plan.hash)) return;
    const kept = () => void this.#kept.add(plan.hash);
    const defining = store.define(plan.hash, plan.definition);
    if (defining instanceof Promise) return defining.then(kept);
    kept();
  }

  /** Makes the workflow of a stored definition, when the run is pinned to one that is not the file of today. */
  async load(store: OpenStore, started: Pick<Started, "workflow" | "version" | "definition">): Promise<void> {
    const hash = started.definition;
    if (hash === undefined || this.find(started)) return;
    const text = await store.definition(hash);
    this.#restore ??= (await import("../plan/workflow.ts")).restoreWorkflow;
    this.#take(hash, text);
  }
  /** The same, in the middle of a fold; a store that cannot be read at once is left alone. */
  loadNow(store: OpenStore, started: Pick<Started, "workflow" | "version" | "definition">): void {
    const hash = started.definition;
    if (hash === undefined || this.find(started)) return;
    const text = store.definition(hash);
    if (!(text instanceof Promise)) this.#take(hash, text);
  }
  #take(hash: string, text: string | undefined): void {
    if (text !== undefined && this.#restore) this.stored.set(hash, this.#restore(text).contract);
  }

  /** The names under which runs wait for this process. */
  held(): string[] {
    const names = this.#registry
      .contracts()
      .filter(({ kind }) => kind === "workflow")
      .map(({ name, version }) => `${name}@${version}`);
    return [...names, "onex-undo@1.0.0"];
  }

  /** The newest workflow of that name, or exactly `version`. Throws OnexError `WORKFLOW_UNKNOWN`. */
  get(name: string, version?: string): WorkflowContract {
    const found = this.#registry.find("workflow", version === undefined ? name : `${name}@${version}`)?.contract as
      | WorkflowContract
      | undefined;
    return found ?? unknown(this.#registry, name, version);
  }
}
