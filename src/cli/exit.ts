/**
 * Exit codes, all in one place.
 *
 * | code | meaning |
 * |---|---|
 * | 0 | done: the run completed, the question was answered; `check` found no error |
 * | 1 | the run failed, was cancelled, has ended already, or is unknown; `check --strict` found warnings and no error |
 * | 2 | usage: what was typed is wrong (option, file, JSON, store, workflow name, input) |
 * | 3 | the run paused and waits for a person |
 * | 65 | a bad contract: the YAML or the module that was handed in |
 * | 70 | the store failed, or onex itself |
 * | 130 | stopped by SIGINT (Ctrl-C); what was begun is in the store |
 * | 143 | stopped by SIGTERM; likewise |
 */
import { OnexError, RunCancelled, RunFailed } from "../core/failure.ts";

export const exit = { done: 0, failed: 1, usage: 2, paused: 3, contract: 65, store: 70, interrupted: 130, terminated: 143 } as const;
export type ExitCode = (typeof exit)[keyof typeof exit];

const byCode: Readonly<Record<string, ExitCode>> = {
  RUN_UNKNOWN: exit.failed,
  RUN_PRUNED: exit.failed,
  SCHEDULE_UNKNOWN: exit.failed,
  RUN_ENDED: exit.failed,
  RUN_NOT_ENDED: exit.failed,
  RUN_NOT_PAUSED: exit.failed,
  STEP_NOT_PAUSED: exit.failed,
  FORK_IMPOSSIBLE: exit.failed,
  FORK_STEP_OPEN: exit.failed,
  FORK_UNDONE: exit.failed,
  MIGRATION_INVALID: exit.usage,
  USAGE: exit.usage,
  NAME_REFUSED: exit.usage,
  NAME_TAKEN: exit.usage,
  PROJECT_MISSING: exit.usage,
  FILE_EXISTS: exit.usage,
  PATH_REFUSED: exit.usage,
  FILE_MISSING: exit.usage,
  PLAN_MISSING: exit.usage,
  CONTRACT_NOT_FOUND: exit.usage,
  NODES_UNSAFE: exit.usage,
  RECORD_INVALID: exit.usage,
  INPUT_NOT_JSON: exit.usage,
  INPUT_INVALID: exit.usage,
  SIGNAL_INVALID: exit.usage,
  STORE_URL_INVALID: exit.usage,
  WORKFLOW_UNKNOWN: exit.usage,
  WORKFLOW_AMBIGUOUS: exit.usage,
  RUN_ID_CONFLICT: exit.usage,
  PROMOTION_CONFLICT: exit.usage,
  OPTION_INVALID: exit.usage,
  LISTEN_FAILED: exit.usage,
  SERVE_UNSAFE: exit.usage,
  SCHEDULE_INVALID: exit.usage,
  VALUE_TOO_LARGE: exit.usage,
  CONTRACT_INVALID: exit.contract,
  CONFIG_INVALID: exit.contract,
  MANIFEST_INVALID: exit.contract,
  SUBCONTRACT_INVALID: exit.contract,
  MODULE_INVALID: exit.contract,
  NODE_INVALID: exit.contract,
  NODE_DUPLICATE: exit.contract,
  NODE_UNKNOWN: exit.contract,
  SERVICE_MISSING: exit.contract,
  SERVICE_DUPLICATE: exit.contract,
  SCHEMA_ASYNC: exit.contract,
  INVALID_DURATION: exit.contract,
  OUTPUT_NOT_JSON: exit.contract,
  OUTPUT_INVALID: exit.contract,
  REMOTE_REFUSED: exit.contract,
  NOT_BUILT: exit.contract,
};

/** The exit code of an error: of a run that ended badly 1, of a known code the table's, else 70. */
export function exitOf(thrown: unknown): ExitCode {
  if (thrown instanceof RunFailed || thrown instanceof RunCancelled) return exit.failed;
  return thrown instanceof OnexError ? (byCode[thrown.code] ?? exit.store) : exit.store;
}
