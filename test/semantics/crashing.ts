/** An orchestrator in virtual time whose process dies before or after the n-th thing that it writes, and one that goes on after it. */
import { type OrchestratorFace, orchestratorIn } from "../../src/engine/orchestrator.ts";
import { sha256 } from "../../src/engine/system.ts";
import type { AnyNode } from "../../src/index.ts";
import { restoreWorkflow } from "../../src/plan/workflow.ts";
import { memory } from "../../src/store/memory.ts";
import type { OpenStore, Store } from "../../src/store/store.ts";
import { VirtualClock } from "../../src/testing/clock.ts";
import { quiet } from "./kit.ts";

const verbs = new Set<PropertyKey>(["acquire", "append", "block", "unblock", "start", "post", "define", "save", "remove"]);

export interface Death {
  readonly n: number;
  readonly when: "before" | "after";
  /** How long it is until the next process comes, ms; default 0. */
  readonly downMs?: number;
}

export class Mortal {
  /** What was written, by the verb. */
  readonly written: string[] = [];
  readonly #store = memory();
  readonly #nodes: readonly AnyNode[];
  readonly #death: Death | undefined;
  readonly #clock: VirtualClock;
  #random = 0;
  #dead = false;
  #followed = false;
  now: OrchestratorFace<readonly AnyNode[]>;

  constructor(nodes: readonly AnyNode[], start: number, death?: Death) {
    this.#nodes = nodes;
    this.#death = death;
    this.#clock = new VirtualClock(start, setImmediate);
    this.now = this.#open();
  }

  get died(): boolean {
    return this.#dead;
  }

  #open(): OrchestratorFace<readonly AnyNode[]> {
    const store: Store = { kind: "memory", open: (host) => this.#watched(this.#store.open(host)) as OpenStore };
    const entropy = {
      uuid: () => `00000000-0000-7000-8000-${String(this.#random++).padStart(12, "0")}`,
      random: () => 0.5,
      seed: () => 1,
    };
    const world = { clock: this.#clock, entropy, log: quiet, hash: sha256, pid: 0, guarded: true };
    return orchestratorIn<readonly AnyNode[]>(world, { store, nodes: this.#nodes }, restoreWorkflow);
  }

  #watched<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name);
        if (name === "schedules") return this.#watched(member as object);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          if (!verbs.has(name)) return Reflect.apply(member, target, args);
          const dies = this.written.push(String(name)) - 1 === this.#death?.n;
          if (dies && this.#death?.when === "before") this.#die();
          const answer: unknown = Reflect.apply(member, target, args);
          if (!dies) return answer;
          // Its answer comes to nobody.
          if (answer instanceof Promise) answer.catch(() => {});
          return this.#die();
        };
      },
    });
  }
  #die(): never {
    this.#dead = true;
    this.now.engine.die();
    this.#store.kill();
    throw new Error("the process died");
  }

  /** Lets time pass; one that has died is followed by another at once. */
  async advance(ms: number): Promise<void> {
    const until = this.#clock.now() + ms;
    do await this.#settle();
    while (this.#clock.step(until));
    this.#clock.moveTo(until);
  }
  /** Whoever was not answered asks again. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    const dead = this.#dead;
    try {
      return await question();
    } catch (error) {
      if (dead === this.#dead) throw error;
      await this.#settle();
      return question();
    }
  }

  async #settle(): Promise<void> {
    for (let i = 0; i < 12; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    if (!this.#dead || this.#followed) return;
    this.#followed = true;
    this.#clock.moveTo(this.#clock.now() + (this.#death?.downMs ?? 0));
    this.now = this.#open();
    await this.#settle();
  }
}
