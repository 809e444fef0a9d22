/** Whether the nodes that a flow names are there, are of that kind, and take what they are given. */

import type { NodeKind } from "../core/operation.ts";
import type { RetryPolicy } from "../core/retry.ts";
import type { Contract, NodeSource } from "../node/contract.ts";
import type { Findings, Place } from "./finding.ts";
import type { Flow, Step, Verb } from "./flow.ts";
import { inputType, outputType } from "./schema-type.ts";
import { didYouMean } from "./suggest.ts";
import { any, members, type Type } from "./types.ts";

/** A call of a node that was found. */
export interface CallCheck {
  readonly name: string;
  readonly place: Place;
  readonly input: Type;
  readonly output: Type;
  /** The step has no `with`. */
  withoutInput(): void;
}

const kinds: readonly NodeKind[] = ["compute", "effect", "reducer", "workflow"];

export class Binding {
  readonly #nodes: NodeSource;
  readonly #flow: Flow;
  readonly #findings: Findings;
  readonly #outputOf: (contract: Contract) => Type;
  readonly #known = new Map<string, Contract | undefined>();
  /** What is wrong with a node is told once. */
  readonly #told = new Set<string>();

  /** `outputOf`: what a node gives. */
  constructor(nodes: NodeSource, flow: Flow, findings: Findings, outputOf: (contract: Contract) => Type = outputType) {
    this.#nodes = nodes;
    this.#flow = flow;
    this.#findings = findings;
    this.#outputOf = outputOf;
  }

  /** The same, which complains elsewhere. */
  toldTo(findings: Findings): Binding {
    return new Binding(this.#nodes, this.#flow, findings, this.#outputOf);
  }

  read(verb: Verb & { readonly kind: "read" }): Type {
    const contract = this.#find("reducer", verb.reference, verb.place, "read");
    return contract ? outputType(contract) : any;
  }

  call(verb: Verb & { readonly kind: "call" }, step: Step): CallCheck | undefined {
    const contract = this.#find(verb.node, verb.reference, verb.place, verb.node);
    if (!contract) return undefined;
    if (contract.kind === "effect") this.#effect(contract, step, verb.place);
    const findings = this.#findings;
    const name = `${contract.kind} ${contract.name}`;
    const input = inputType(contract);
    return {
      name,
      place: verb.place,
      input,
      output: this.#outputOf(contract),
      withoutInput() {
        const [map] = members(input);
        if (members(input).length !== 1 || map?.kind !== "map") return;
        const missing = [...map.fields].filter(([, field]) => !field.optional).map(([key]) => key);
        // A caller may hand the input in by step name, so this is no error.
        if (missing.length > 0)
          findings.warn(
            "INPUT_MISSING",
            verb.place,
            `${name} takes ${missing.join(", ")}, and the step has no \`with\`; whoever starts the run must give it as the step's input`,
          );
      },
    };
  }

  /** Complains unless the node, which was called before, is a stream. */
  stream(verb: Verb & { readonly kind: "call" }): void {
    const contract = this.#known.get(`${verb.node} ${verb.reference}`);
    if (contract === undefined || contract.decodeItem) return;
    this.#findings.error(
      "TYPE_MISMATCH",
      verb.place,
      `each goes over a list or a stream, and ${contract.name} is an effect that answers once; call it in a step of its own, and write each: THAT_STEP`,
    );
  }

  #effect(contract: Contract, step: Step, place: Place): void {
    const repeatable = contract.idempotent === true || contract.readonly === true;
    const retry = step.retry ?? contract.retry ?? this.#flow.defaults.retry;
    if (!repeatable && retry && attempts(retry) > 1)
      this.#findings.warn(
        "RETRY_NOT_IDEMPOTENT",
        place,
        `${contract.name} is retried and does not say that it is idempotent: it may happen twice; declare \`idempotent: true\` if it uses its idempotency key, or write \`retry: false\``,
      );
    if (
      contract.undo === undefined &&
      contract.irreversible === undefined &&
      contract.readonly !== true &&
      step.undo === undefined &&
      this.#once(`undo ${contract.name}`)
    )
      this.#findings.warn(
        "UNDO_UNSAID",
        place,
        `${contract.name} does not say how it is taken back: declare one of undo, irreversible: "why" or readonly: true, or write \`undo\` on the step`,
      );
  }

  #once(what: string): boolean {
    if (this.#told.has(what)) return false;
    this.#told.add(what);
    return true;
  }

  #find(kind: NodeKind, reference: string, place: Place, verb: string): Contract | undefined {
    const key = `${kind} ${reference}`;
    if (!this.#known.has(key)) this.#known.set(key, this.#nodes.find(kind, reference)?.contract);
    const contract = this.#known.get(key);
    if (contract) return contract;
    this.#findings.error("NODE_UNKNOWN", place, this.#why(kind, reference, verb));
    return undefined;
  }

  #why(kind: NodeKind, reference: string, verb: string): string {
    const name = reference.replace(/@.*/, "");
    const other = this.#nodes.find(kind, name);
    if (other)
      return `${reference}: the newest ${kind} ${name} is ${other.contract.version}; write ${name}@${other.contract.version.split(".")[0]}, or add that version to the nodes`;
    const as = kinds.find((candidate) => candidate !== kind && this.#nodes.find(candidate, name) !== undefined);
    if (as)
      return verb === "read"
        ? `${name} is ${article(as)} ${as}; read takes a reducer`
        : `${name} is ${article(as)} ${as}, not ${article(kind)} ${kind}; write \`${as}: ${reference}\``;
    const names = this.#nodes.names(kind);
    const near =
      didYouMean(name, names) ||
      didYouMean(
        name,
        kinds.flatMap((candidate) => this.#nodes.names(candidate)),
      );
    return `there is no ${kind} "${reference}".${near || (names.length > 0 && names.length <= 12 ? ` There are ${names.join(", ")}.` : " Add it to the nodes of the orchestrator.")}`;
  }
}

function article(kind: NodeKind): string {
  return kind === "effect" ? "an" : "a";
}

function attempts(retry: RetryPolicy): number {
  return retry.maxAttempts ?? 3;
}
