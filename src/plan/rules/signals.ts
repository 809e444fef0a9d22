/** Signals that nobody waits for, waits that nobody ends. */
import { typeOfSchema } from "../schema-type.ts";
import type { Family } from "./rules.ts";

export const signals: Family = ({ read, flow, findings, contract }) => {
  const impossible = new Set<string>();
  for (const [name, { raw, files }] of read.signals)
    if (raw === false || typeOfSchema(raw, files, "taken").kind === "never") impossible.add(name);
  const waited = new Set<string>();
  return {
    step(step, { label, limit, raced, undoing }) {
      const { verb } = step;
      if (verb.kind === "wait") {
        waited.add(verb.signal);
        if (impossible.has(verb.signal))
          findings.warn(
            "WAIT_NEVER",
            verb.place,
            `nothing can end this wait: no message fits the schema of the signal "${verb.signal}"; correct it under \`signals\``,
          );
        else if (!limit && step.timeout === undefined && !raced && !undoing)
          findings.warn(
            "TIMEOUT_MISSING",
            verb.place,
            `${label} waits for the signal "${verb.signal}" without end: neither it nor the run has a timeout; write \`timeout: 7d\` or what fits, or race it against a sleep`,
          );
      }
      if (verb.kind === "call" && verb.node === "workflow" && !limit && step.timeout === undefined && !raced && !undoing) {
        const child = contract(step);
        if (child && child.timeout === undefined)
          findings.warn(
            "TIMEOUT_MISSING",
            verb.place,
            `${label} waits for the workflow ${child.name} without end: neither the step, nor ${child.name}, nor the run has a timeout; write one of them`,
          );
      }
    },
    end() {
      for (const name of flow.signals.keys())
        if (!waited.has(name))
          findings.warn(
            "SIGNAL_UNUSED",
            flow.at("signals", name).key,
            `no step waits for the signal "${name}": a message would be kept and never read; write { wait: ${name} }, or take it out`,
          );
    },
  };
};
