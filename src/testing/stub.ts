/** Stands in for effects in tests, typed by what they replace. */
import type { AnyNode, EffectContext, EffectContract } from "../node/contract.ts";
import type { Effect } from "../node/effect.ts";
import type { StreamContext, StreamEffect } from "../node/stream.ts";

export interface Stand {
  readonly node: string;
  readonly run: (input: unknown, context: EffectContext) => unknown;
}

/** Stands in for a stream: it yields behind the `taken` items that are recorded, or gives the list of all of them. */
export function stub<I, T>(
  node: StreamEffect<I, T>,
  run: (input: I, context: StreamContext) => AsyncIterable<T> | Iterable<T> | Promise<Iterable<T>>,
): Stand;
/** Stands in for an effect: typed by the effect it replaces. */
export function stub<I, O>(node: Effect<I, O>, run: (input: I, context: EffectContext) => O | Promise<O>): Stand;
export function stub(node: AnyNode, run: (input: never, context: never) => unknown): Stand {
  const stand = run as Stand["run"];
  return { node: node.contract.name, run: node.contract.decodeItem ? listed(stand) : stand };
}

/** A list goes on where the record ends. */
function listed(run: Stand["run"]): Stand["run"] {
  return async (input, context) => {
    const given = await run(input, context);
    return Array.isArray(given) ? given.slice((context as StreamContext).taken) : given;
  };
}

/** One call of an effect, as it was made. */
export interface Recorded {
  readonly node: string;
  readonly input: unknown;
  readonly idempotencyKey: string;
}

/** Effects whose calls are written down before they are made, by the stand-in where there is one. */
export class Stage {
  readonly recorded: Recorded[] = [];
  readonly #stands: ReadonlyMap<string, Stand>;
  constructor(stands: readonly Stand[]) {
    this.#stands = new Map(stands.map((stand) => [stand.node, stand]));
  }

  /** What is run instead of the contract's own function. */
  run(contract: EffectContract): EffectContract["run"] {
    const stand = this.#stands.get(contract.name);
    const run = (stand?.run ?? contract.run) as (input: unknown, context: EffectContext) => unknown;
    return (async (input: unknown, context: EffectContext) => {
      this.recorded.push({ node: contract.name, input, idempotencyKey: context.idempotencyKey });
      return run(input, context);
    }) as EffectContract["run"];
  }
  isStubbed(name: string): boolean {
    return this.#stands.has(name);
  }
  calls(node: AnyNode): readonly Recorded[] {
    return this.recorded.filter(({ node: name }) => name === node.contract.name);
  }
}
