/** `createOrchestrator`: an orchestrator in the world of this machine, which can make workflows of stored definitions at once. */
import type { AnyNode } from "../node/contract.ts";
import { restoreWorkflow } from "../plan/workflow.ts";
import type { Orchestrator, OrchestratorOptions } from "./api.ts";
import { orchestratorIn } from "./orchestrator.ts";
import { systemWorld } from "./system.ts";

/**
 * The process that drives runs. The store is opened and checked here, so a bad one throws at once.
 * Throws OnexError `NODE_DUPLICATE`, `SERVICE_MISSING`, `SERVICE_DUPLICATE`, `CONTRACT_INVALID`, `OPTION_INVALID`,
 * `CONFIG_INVALID`, `REMOTE_REFUSED`, and what opening the store throws.
 */
export function createOrchestrator<const N extends readonly AnyNode[]>(options: OrchestratorOptions<N>): Orchestrator<N> {
  return orchestratorIn(systemWorld(options?.log), options, restoreWorkflow);
}
