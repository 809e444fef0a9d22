/** Calls nodes where they live: in this process, or behind the URL that the configuration names. */
import type { Failure } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import type { NodeKind } from "../../core/operation.ts";
import type { Contract, EffectContext, EffectContract } from "../../node/contract.ts";
import type { StreamContext } from "../../node/stream.ts";
import type { Action } from "../action.ts";
import { signatureHeaders } from "../signature.ts";
import { systemSigner } from "../system.ts";
import type { NodeView } from "../views.ts";
import type { World } from "../world.ts";
import { type Endpoints, mayBeRemote } from "./endpoints.ts";
import { NodeHealth } from "./health.ts";
import { Http } from "./http.ts";
import { healer, type Raise } from "./outranked.ts";
import { RemoteNode, type Sign } from "./remote.ts";

/** A call of an effect, in both shapes: as its function takes it, and as it travels. */
export interface Errand {
  readonly contract: EffectContract;
  /** The decoded input. */
  readonly input: unknown;
  readonly context: EffectContext;
  /** Made only for those who send it, and again under a higher epoch; `taken` says which item of a stream is asked for. */
  action(taken?: number): Action;
  /** Left out: what a host refuses to who was outranked has failed. */
  readonly raise?: Raise | undefined;
}

/** Signs with the secret that nodes elsewhere share with this process, if they do. */
function signing({ clock, hash, signer = systemSigner, endpointSecret: secret }: World): Sign | undefined {
  if (secret === undefined) return undefined;
  return (method, { pathname, search }, body, { actionId, epoch }) =>
    signatureHeaders(signer, secret, {
      method,
      path: pathname + search,
      time: Math.round(clock.now()),
      nonce: signer.nonce(),
      actionId,
      epoch,
      bodyDigest: hash(body),
    });
}

export class NodeClient {
  readonly #world: World;
  readonly #http: Http;
  readonly #remotes = new Map<string, RemoteNode>();
  readonly #kinds = new Map<string, NodeKind>();
  /** Of effects in this process, once they were called. */
  readonly #local = new Map<string, NodeHealth>();

  constructor(
    world: World,
    endpoints: Endpoints,
    settings: { readonly abortGraceMs: number; readonly maxValueBytes: number },
    contracts: readonly Contract[] = [],
  ) {
    this.#world = world;
    this.#http = new Http(() => world.clock.now());
    const by = {
      http: this.#http,
      clock: world.clock,
      graceMs: settings.abortGraceMs,
      maxValueBytes: settings.maxValueBytes,
      sign: signing(world),
    };
    for (const [name, url] of endpoints) this.#remotes.set(name, new RemoteNode(url, by));
    for (const { kind, name } of contracts) if (endpoints.has(name)) this.#kinds.set(name, kind);
  }

  /** Whether the node lives behind a URL; one that a test plays does not. */
  isRemote({ kind, name }: Pick<Contract, "kind" | "name">): boolean {
    return this.#remotes.size > 0 && mayBeRemote(kind) && this.#remotes.has(name) && !this.#world.stage?.isStubbed(name);
  }

  /** Where the node is called: its URL, or `local:NODE`. */
  endpointOf(contract: Pick<Contract, "kind" | "name">): string {
    return this.isRemote(contract) ? (this.#remotes.get(contract.name)?.url.href ?? "") : `local:${contract.name}`;
  }

  /**
   * Answers what the effect answers, or a promise of it; of a stream its items, each asked for by one `next()`. Throws what
   * the effect throws, and what `RemoteNode.call` throws.
   */
  call(errand: Errand): unknown {
    const { contract, input, context } = errand;
    if (this.isRemote(contract)) {
      if (!contract.item) return this.ask(() => errand.action(), context.signal, { progress: context.progress, raise: errand.raise });
      return this.#items(errand, context as StreamContext);
    }
    const run = (this.#world.stage?.run(contract) ?? contract.run) as (input: unknown, context: EffectContext) => unknown;
    return run(input, context);
  }

  /** Sends an action to the node that it names, again when the run was raised for it. Throws what `RemoteNode.call` throws. */
  async ask(
    action: () => Action,
    signal: AbortSignal,
    { progress = () => {}, raise }: { readonly progress?: (note: Json) => void; readonly raise?: Raise | undefined } = {},
  ): Promise<Json> {
    const heal = healer(raise, signal);
    for (;;) {
      const sent = action();
      try {
        return await this.#remoteOf({ kind: sent.kind, name: sent.node }).call(sent, signal, progress);
      } catch (error) {
        await heal(error, sent.epoch);
      }
    }
  }
  async *#items(errand: Errand, { taken, signal, progress }: StreamContext): AsyncGenerator<Json, void, undefined> {
    const heal = healer(errand.raise, signal);
    for (let index = taken; ; ) {
      let { epoch } = errand.context;
      const action = (at: number): Action => {
        const asked = errand.action(at);
        epoch = asked.epoch;
        return asked;
      };
      try {
        for await (const item of this.#remoteOf(errand.contract).items(action, index, signal, progress)) {
          yield item;
          index++;
        }
        return;
      } catch (error) {
        await heal(error, epoch);
      }
    }
  }
  #remoteOf({ kind, name }: Pick<Contract, "kind" | "name">): RemoteNode {
    this.#kinds.set(name, kind);
    return this.#remotes.get(name) as RemoteNode;
  }

  /** A call ended; `failure` unless the node answered it, be it with a refusal. */
  ended({ kind, name }: Pick<Contract, "kind" | "name">, latencyMs: number, failure: Failure | undefined): void {
    let health = this.#remotes.get(name)?.health ?? this.#local.get(name);
    if (!health) {
      health = new NodeHealth();
      this.#local.set(name, health);
      this.#kinds.set(name, kind);
    }
    health.called(this.#world.clock.now(), latencyMs, failure);
  }

  /** The nodes behind URLs, and the effects of this process that were called. */
  views(): readonly NodeView[] {
    const kind = (name: string) => this.#kinds.get(name) ?? "effect";
    return [
      ...[...this.#remotes].map(([name, { health, url }]) => health.view(name, kind(name), url.href)),
      ...[...this.#local].map(([name, health]) => health.view(name, kind(name), `local:${name}`)),
    ];
  }

  /** Asks every host whether it is there, at most `withinMs` each, but not for nodes that a test plays; what it finds stands in `views`. */
  async probe(withinMs: number): Promise<void> {
    const there = [...this.#remotes].filter(([name]) => !this.#world.stage?.isStubbed(name));
    await Promise.all(there.map(([, remote]) => remote.probe(withinMs)));
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}
