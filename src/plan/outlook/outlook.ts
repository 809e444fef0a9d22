/** What can be said about a run of a flow before it begins: what begins together, how long it takes, what is taken back. */
import type { RunDefaults } from "../../core/defaults.ts";
import type { Json } from "../../core/json.ts";
import type { NodeSource } from "../../node/contract.ts";
import type { Flow } from "../flow.ts";
import { type Spot, spotsIn, spotsOf, verbWords, words } from "./spot.ts";
import { type LongestWay, Times } from "./time.ts";
import { type Taken, type Undone, type UndoPlan, undoPlans } from "./undo.ts";
import { waitsFor, wavesOf } from "./waves.ts";

export interface Outlook {
  readonly flow: Flow;
  readonly run: Spot;
  readonly times: Times;
  readonly longest: LongestWay;
  readonly undo: readonly UndoPlan[];
  readonly concurrency: number;
  readonly onFailure: "compensate" | "stop";
  /** Nodes that the flow names and nobody has given. */
  readonly unknown: readonly string[];
}

/** @param nodes without them, what depends on a node is said to be unknown. @param defaults of the run that is meant. */
export function outlookOf(flow: Flow, nodes?: NodeSource, defaults: RunDefaults = {}): Outlook {
  const run = spotsOf(flow, nodes);
  const times = new Times(flow, defaults);
  const onFailure = flow.onFailure ?? defaults.onFailure ?? "compensate";
  const unknown = new Set<string>();
  for (const { node, step } of spotsIn(run)) if (!node && "reference" in step.verb) unknown.add(step.verb.reference);
  return {
    flow,
    run,
    times,
    longest: times.longest(run),
    undo: undoPlans(run, { onFailure }),
    concurrency: flow.concurrency ?? defaults.concurrency ?? 16,
    onFailure,
    unknown: [...unknown].sort(),
  };
}

/** The same for programs. Times are in ms; `mostMs` is null when nothing ends it. */
export function outlookJson(outlook: Outlook): { readonly [key: string]: Json } {
  const { flow, longest } = outlook;
  return {
    name: flow.name,
    version: flow.version,
    concurrency: outlook.concurrency,
    onFailure: outlook.onFailure,
    unknownNodes: outlook.unknown,
    waves: wavesJson(outlook, outlook.run),
    time: {
      mostMs: finite(longest.mostMs),
      leastMs: longest.leastMs,
      timeoutMs: longest.timeoutMs ?? null,
      way: longest.way.map(({ spot, span }) => ({ step: spot.path, mostMs: finite(span.mostMs), why: span.why })),
      endless: longest.endless.map(({ spot, why }) => ({ step: spot.path, why })),
    },
    undo: outlook.undo.map(undoJson),
  };
}

function wavesJson(outlook: Outlook, spot: Spot): Json {
  return wavesOf(spot).map((wave) => wave.map((inner) => spotJson(outlook, inner)));
}

function spotJson(outlook: Outlook, spot: Spot): Json {
  const { step } = spot;
  const waits = waitsFor(spot);
  const block = step.verb.kind === "steps";
  return {
    step: spot.path,
    name: spot.name,
    role: spot.role,
    does: verbWords(spot),
    mostMs: finite(outlook.times.of(spot).mostMs),
    ...(step.when ? { when: words(step.when) } : {}),
    ...(waits.all.length > 0 ? { after: waits.all } : {}),
    ...(waits.any.length > 0 ? { any: waits.any, count: waits.count } : {}),
    ...(block ? { waves: wavesJson(outlook, spot) } : {}),
    ...(!block && spot.inner.length > 0 ? { inner: spot.inner.map((inner) => spotJson(outlook, inner)) } : {}),
    ...(step.onError === "continue" ? { onError: "continue" } : spot.error ? { onError: spotJson(outlook, spot.error) } : {}),
  };
}

function undoJson(plan: UndoPlan): Json {
  return {
    step: plan.spot.path,
    cause: plan.cause,
    likely: plan.likely,
    ends: plan.stays === undefined ? "run" : plan.stays.spot.path,
    ...(plan.stays ? { how: plan.stays.how } : {}),
    scopes: plan.undone.map(({ scope, of, taken }: Undone) => ({ scope, of, undone: taken.map(takenJson) })),
    ...(plan.left.length > 0 ? { left: plan.left.map(takenJson) } : {}),
    ...(plan.stopped.length > 0 ? { stopped: plan.stopped.map(takenJson) } : {}),
  };
}

function takenJson({ spot, way, by, only }: Taken): Json {
  return { step: spot.path, way, ...(by === undefined ? {} : { by }), ...(only === undefined ? {} : { only }) };
}

function finite(ms: number): number | null {
  return ms === Number.POSITIVE_INFINITY ? null : ms;
}
