/** Rules about a flow as a whole: what never runs, never ends, comes too late, or changes nothing. All of it is advice. */
import type { Contract, NodeSource } from "../../node/contract.ts";
import type { Findings } from "../finding.ts";
import type { Flow, Step } from "../flow.ts";
import type { Read } from "../workflow.ts";
import { deadlines } from "./deadlines.ts";
import { joins } from "./joins.ts";
import { loops } from "./loops.ts";
import { needless } from "./needless.ts";
import { races } from "./races.ts";
import { reach } from "./reach.ts";
import { retries } from "./retries.ts";
import { signals } from "./signals.ts";
import { type Visitor, walk } from "./walk.ts";

export interface Context {
  readonly read: Read;
  readonly flow: Flow;
  readonly findings: Findings;
  /** The node that a step calls; undefined where it calls none, or the nodes are not known. */
  contract(step: Step): Contract | undefined;
}
export type Family = (context: Context) => Visitor;

const families: readonly Family[] = [reach, joins, races, signals, deadlines, retries, loops, needless];
/** Of an ONEX contract: what its author wrote is times; conditions, joins and modifiers of the plan were made from it. */
const familiesOfOnex: readonly Family[] = [deadlines];

/**
 * Adds what is to be said beside types. Only warnings: a flow that was accepted once must be accepted again when a run that
 * is pinned to it goes on. Without `nodes` nothing is said that depends on one.
 */
export function checkRules(read: Read, nodes: NodeSource | undefined, findings: Findings): void {
  const { flow } = read;
  const known = new Map<string, Contract | undefined>();
  const contract = ({ verb }: Step): Contract | undefined => {
    if (verb.kind !== "call" || !nodes) return undefined;
    const key = `${verb.node} ${verb.reference}`;
    if (!known.has(key)) known.set(key, nodes.find(verb.node, verb.reference)?.contract);
    return known.get(key);
  };
  const visitors = (read.plan === undefined ? families : familiesOfOnex).map((family) => family({ read, flow, findings, contract }));
  walk(flow, {
    step(step, around) {
      for (const visitor of visitors) visitor.step?.(step, around);
    },
    block(block, around) {
      for (const visitor of visitors) visitor.block?.(block, around);
    },
  });
  for (const visitor of visitors) visitor.end?.();
}
