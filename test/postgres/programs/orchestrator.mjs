/** Drives the runs of a store, together with others like it, until it is told to end. */
import { createOrchestrator } from "../../../dist/index.js";
import { given, log, say } from "../../faults/programs/kit.mjs";
import { left, openStore, right, ten } from "./ten.mjs";

const { store, storeOptions, endpoints } = given;

/** @param {string} message @param {{ code?: string }} [fields] */
function warn(message, fields) {
  log.warn(message, fields);
  // A history that does not fit would wait for a person for ever.
  if (fields?.code === "HISTORY_MISMATCH") process.exit(71);
}

const orchestrator = createOrchestrator({
  store: await openStore(store, storeOptions),
  nodes: [ten, left, right],
  endpoints,
  // A host that was killed is back soon, and is to be found soon.
  circuitBreaker: { openMs: 50 },
  log: { ...log, warn },
});
orchestrator.stopped.catch((error) => {
  say({ stopped: `${error.code}: ${error.message}` });
  process.exit(70);
});
process.once("SIGTERM", () => orchestrator.close().then(() => process.exit(0)));
// What it thinks that it does, for a report on what is stuck.
process.on("SIGUSR2", async () => say({ told: { ...orchestrator.stats(), health: await orchestrator.healthCheck() } }));
say({ up: true });
