/** The services of a process: each made once, when first needed, and closed with the orchestrator (API rule 9). */
import { OnexError } from "../core/failure.ts";
import type { Contract, EffectContract } from "../node/contract.ts";
import type { Provided } from "../node/service.ts";

export class Services {
  readonly #provided = new Map<string, Provided>();
  readonly #made = new Map<string, unknown>();
  readonly #making = new Map<string, Promise<unknown>>();

  readonly #needsNone: (node: string) => boolean;

  /** @param needsNone whether a node is played by a stand-in. */
  constructor(provided: readonly Provided[], needsNone: (node: string) => boolean = () => false) {
    this.#needsNone = needsNone;
    for (const one of provided) {
      if (this.#provided.has(one.service))
        throw new OnexError("SERVICE_DUPLICATE", `the service "${one.service}" is provided twice: take one of the two out of \`provide\``);
      this.#provided.set(one.service, one);
    }
  }

  /** The first service that this node uses and nobody provides. */
  missing(contract: Contract): string | undefined {
    const { uses } = contract as Partial<EffectContract>;
    if (this.#needsNone(contract.name)) return undefined;
    return uses && Object.values(uses).find(({ name }) => !this.#provided.has(name))?.name;
  }

  /** What an effect gets by the names of its `uses`; a promise only while one of them is being made. */
  of(contract: EffectContract): Record<string, unknown> | Promise<Record<string, unknown>> {
    const given: Record<string, unknown> = {};
    if (this.#needsNone(contract.name)) return given;
    for (const [slot, { name }] of Object.entries(contract.uses)) {
      if (!this.#made.has(name)) return this.#later(contract);
      given[slot] = this.#made.get(name);
    }
    return given;
  }

  async #later(contract: EffectContract): Promise<Record<string, unknown>> {
    const given: Record<string, unknown> = {};
    for (const [slot, { name }] of Object.entries(contract.uses)) given[slot] = await this.#make(name);
    return given;
  }

  async #make(name: string): Promise<unknown> {
    if (this.#made.has(name)) return this.#made.get(name);
    let making = this.#making.get(name);
    if (!making) {
      // A service that could not be made is tried again by the next call that needs it.
      making = (async () => this.#provided.get(name)?.make())().finally(() => this.#making.delete(name));
      this.#making.set(name, making);
    }
    const value = await making;
    this.#made.set(name, value);
    return value;
  }

  /** Closes what has a `close()`; answers what could not be closed. */
  async close(): Promise<readonly { readonly service: string; readonly error: unknown }[]> {
    const failed: { service: string; error: unknown }[] = [];
    for (const [service, value] of this.#made)
      try {
        await (value as { close?: () => unknown } | null | undefined)?.close?.();
      } catch (error) {
        failed.push({ service, error });
      }
    this.#made.clear();
    return failed;
  }
}
