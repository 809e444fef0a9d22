/** YAML contracts and plans built in code, as workflows. */
export type { Finding } from "./finding.ts";
export { describe as describeFinding } from "./finding.ts";
export { checkFile, loadWorkflow } from "./load.ts";
export type { Defaults, JsonSchema, Modifiers, Plan, Step as PlanStep } from "./plan.ts";
export type { ReadRef } from "./schema-files.ts";
export { type PlanOptions, parseWorkflow, planWorkflow } from "./workflow.ts";
