/** An orchestrator for tests: the same engine as in production, in virtual time, on a store in memory. */
import { type Duration, durationMs } from "../core/duration.ts";
import { OnexError } from "../core/failure.ts";
import type { NodeKind } from "../core/operation.ts";
import type { Orchestrator, OrchestratorOptions, Run } from "../engine/api.ts";
import { type OrchestratorFace, orchestratorIn } from "../engine/orchestrator.ts";
import { sha256, stderrLog, systemSigner, uuidV7 } from "../engine/system.ts";
import type { Entropy, World } from "../engine/world.ts";
import type { AnyNode, Node } from "../node/contract.ts";
import { restoreWorkflow } from "../plan/workflow.ts";
import { type MemoryStore, memory } from "../store/memory.ts";
import { VirtualClock } from "./clock.ts";
import { type Recorded, Stage, type Stand } from "./stub.ts";

/** What `createOrchestrator` takes, in a world of the test's own: time stands until it is advanced, runs are kept in memory. */
export interface TestOptions<N extends readonly AnyNode[]> extends Omit<OrchestratorOptions<N>, "store"> {
  readonly stubs?: readonly Stand[];
  /** Of all randomness; default 1. */
  readonly seed?: number;
}

export interface TestOrchestrator<N extends readonly AnyNode[]> extends Orchestrator<N> {
  /** Lets virtual time pass: timers fire in order, and what they set off is carried out before the next. */
  advance(duration: Duration): Promise<void>;
  /** Kills the process before its next write and takes the store over with a new one, after a time without any; default at once. */
  crash(downFor?: Duration): Promise<void>;
  /** The calls of an effect so far, redelivered ones included, over all crashes. */
  calls<I, O>(node: Node<NodeKind, I, O>): readonly { readonly input: I; readonly idempotencyKey: string }[];
}

const start = Date.UTC(2030, 0, 1);

/** Throws what `createOrchestrator` throws. */
export function testOrchestrator<const N extends readonly AnyNode[]>(options: TestOptions<N>): TestOrchestrator<N> {
  return new Tested(options) as unknown as TestOrchestrator<N>;
}

class Tested<N extends readonly AnyNode[]> {
  readonly #options: TestOptions<N>;
  readonly #clock: VirtualClock;
  readonly #store: MemoryStore = memory();
  readonly #stage: Stage;
  readonly #world: World;
  #pending = 0;
  #now: OrchestratorFace<N>;

  constructor(options: TestOptions<N>) {
    this.#options = options;
    this.#stage = new Stage(options.stubs ?? []);
    this.#clock = new VirtualClock(start, (callback) => {
      this.#pending++;
      setImmediate(() => {
        this.#pending--;
        callback();
      });
    });
    const entropy = seeded(options.seed ?? 1, () => this.#clock.now());
    this.#world = {
      clock: this.#clock,
      entropy,
      log: options.log ?? stderrLog,
      hash: sha256,
      signer: { ...systemSigner, nonce: () => sha256(entropy.uuid()).slice(0, 32) },
      pid: process.pid,
      stage: this.#stage,
      guarded: true,
    };
    this.#now = this.#open();
  }

  #open(): OrchestratorFace<N> {
    const { stubs: _, seed: __, ...options } = this.#options;
    return orchestratorIn<N>(this.#world, { ...options, store: this.#store }, restoreWorkflow);
  }

  // ── the test's own verbs ──

  async advance(duration: Duration): Promise<void> {
    const until = this.#clock.now() + durationMs(duration);
    do await this.#settle();
    while (this.#clock.step(until));
    this.#clock.moveTo(until);
  }

  async crash(downFor: Duration = "0ms"): Promise<void> {
    this.#now.engine.die();
    this.#store.kill();
    await turn();
    this.#clock.moveTo(this.#clock.now() + durationMs(downFor));
    this.#now = this.#open();
    await this.#settle();
  }

  calls(node: AnyNode): readonly Recorded[] {
    return this.#stage.calls(node);
  }

  /** Waits until nothing goes on without time passing; a stub that waits for the outside gets some turns for it. */
  async #settle(): Promise<void> {
    for (let still = 0; still < this.#patience(); still++) {
      const before = this.#sign();
      await turn();
      if (this.#sign() !== before || this.#pending > 0) still = -1;
    }
  }
  #patience(): number {
    const { engine } = this.#now;
    return engine.callsInFlight > 0 ? 10 : engine.quiet ? 1 : 3;
  }
  #sign(): string {
    const { engine } = this.#now;
    return `${engine.store.commits} ${engine.callsInFlight} ${this.#stage.recorded.length} ${engine.activeCount}`;
  }

  // ── the orchestrator's, always those of the process that lives ──

  /** For tests of onex itself: what metrics read. */
  get engine() {
    return this.#now.engine;
  }
  get role() {
    return this.#now.role;
  }
  get stopped() {
    return this.#now.stopped;
  }
  get schedules() {
    return this.#now.schedules;
  }
  async start(...args: Parameters<OrchestratorFace<N>["start"]>): Promise<Run> {
    const run = await this.#now.start(...args);
    return this.run(run.runId, args[0] as never);
  }
  run(runId: string, workflow?: Parameters<OrchestratorFace<N>["run"]>[1]): Run {
    const run = () => this.#now.run(runId, workflow);
    return {
      runId,
      result: (options) => this.#survive(() => run().result(options)),
      status: () => run().status(),
      facts: (options) => run().facts(options),
      events: (options) => run().events(options),
      signal: (signal: never, payload: never, options?: { readonly messageId?: string }) => run().signal(signal, payload, options),
      cancel: (reason) => run().cancel(reason),
      pause: (options) => run().pause(options),
      resume: (options) => run().resume(options),
      migrate: (to) => run().migrate(to),
    };
  }
  async fork(...args: Parameters<OrchestratorFace<N>["fork"]>): Promise<Run> {
    return this.run((await this.#now.fork(...args)).runId);
  }
  async retry(...args: Parameters<OrchestratorFace<N>["retry"]>): Promise<Run> {
    return this.run((await this.#now.retry(...args)).runId);
  }
  /** Who waits does not die with the process that is crashed. */
  async #survive<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      const asked = this.#now;
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof OnexError) || error.code !== "ORCHESTRATOR_CLOSED") throw error;
        for (let i = 0; this.#now === asked && i < 10; i++) await turn();
        if (this.#now === asked) throw error;
      }
    }
  }
  process(input: Parameters<OrchestratorFace<N>["process"]>[0]) {
    return this.#now.process(input);
  }
  getWorkflowStatus(workflowId: string) {
    return this.#now.getWorkflowStatus(workflowId);
  }
  getPerformanceMetrics() {
    return this.#now.getPerformanceMetrics();
  }
  healthCheck(options?: Parameters<OrchestratorFace<N>["healthCheck"]>[0]) {
    return this.#now.healthCheck(options);
  }
  get registry() {
    return this.#now.registry;
  }
  read(...args: Parameters<OrchestratorFace<N>["read"]>) {
    return this.#now.read(...args);
  }
  list(filter?: Parameters<OrchestratorFace<N>["list"]>[0]) {
    return this.#now.list(filter);
  }
  idle() {
    return this.#now.idle();
  }
  stats() {
    return this.#now.stats();
  }
  close(options?: { readonly graceMs?: number }) {
    return this.#now.close(options);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Randomness from a seed (mulberry32). */
function seeded(seed: number, now: () => number): Entropy {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    uuid: () =>
      uuidV7(
        now(),
        Uint8Array.from({ length: 10 }, () => Math.floor(next() * 256)),
      ),
    random: next,
    seed: () => (next() * 4_294_967_296) | 0,
  };
}
