/** Keys that nobody reads, each with the reason. */
import type { Cursor } from "../cursor.ts";
import { coordinationReasons } from "./rules.ts";
import { flagOf, mapOf, nameRest, unsupported } from "./say.ts";

/** Names what stands in a workflow contract beside what is read; steps and rules name their own. */
export function tellUnread(
  file: Cursor,
  coordination: Cursor | undefined,
  definition: Cursor | undefined,
  metadata: Cursor | undefined,
  graph: Cursor | undefined,
): void {
  const plan = ["workflow_definition", "workflow_metadata", "execution_graph", "coordination_rules", "steps", "workflow_id"];
  nameRest(
    file,
    [
      ...plan,
      "workflow_coordination",
      "error_handling",
      "timing_constraints",
      "event_flow",
      "nodes",
      "initial_command",
      "terminal_event",
      "conditional_branching",
      "execution_mode",
      "timeout_ms",
      "max_parallel_branches",
    ],
    fileReasons,
  );
  nameRest(coordination, [...plan, "execution_mode", "timeout_ms", "max_parallel_branches"], coordinationReasons);
  nameRest(definition, plan);
  nameRest(metadata, ["workflow_name", "execution_mode", "timeout_ms"]);
  nameRest(graph, ["nodes", "steps", "edges"]);
  const branching = mapOf(file.get("conditional_branching"));
  const points = branching?.get("decision_points");
  if (points && Array.isArray(points.value) && points.value.length > 0)
    unsupported(points, "decisions stand at the steps that they are about; write branch_condition there");
  const fallback = branching?.get("default_branch_enabled");
  if (fallback && flagOf(fallback) === true) unsupported(fallback, "write the default branch as a step with a branch_condition of its own");
  nameRest(branching, ["decision_points", "default_branch_enabled"]);
}

const python = "names Python code, which onex does not load; a step names its node";
const events =
  "events neither start a run nor are sent; `onex run` and `orchestrator.start` start one, `run.events()` gives each of its facts";
const fileReasons: Readonly<Record<string, string>> = {
  event_bus: events,
  event_emission: events,
  event_registry: events,
  event_coordination: events,
  published_events: events,
  consumed_events: events,
  yaml_published_events: events,
  yaml_consumed_events: events,
  subscriptions: events,
  publications: events,
  intent_consumption: events,
  handler_routing: python,
  handlers: python,
  input_model: python,
  output_model: python,
  protocol_interfaces: python,
  protocol_dependencies: python,
  dependencies: python,
  descriptor: "what a node is follows from its definition in code",
  behavior: "what a node is follows from its definition in code",
  execution: "what a node is follows from its definition in code",
  performance: "onex sets no targets; `bench/` measures",
  performance_benchmarks: "describes figures, and nothing that runs",
  integration_testing: "describes tests, and nothing that runs",
  operational_monitoring: "describes dashboards and alerts, and nothing that runs",
  action_emission: "actions are sent as soon as their turn is accepted",
  lifecycle: "the orchestrator starts and closes by itself",
  time_injection: "the engine records the time; nodes get it with what they are given",
  load_balancing_enabled: "one orchestrator runs a run; there is nothing to balance between",
};
