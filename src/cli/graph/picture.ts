/** A graph as every format draws it: nodes within nodes, and edges between those that stand side by side. */

export type StateName =
  | "completed"
  | "running"
  | "retrying"
  | "waiting"
  | "paused"
  | "failed"
  | "aborted"
  | "skipped"
  | "undone"
  | "not begun";

/** How far a step is in a run. */
export interface State {
  readonly name: StateName;
  /** In few words: its duration, attempts, what it waits for. */
  readonly note: string;
}

export interface PictureNode {
  /** Of this picture: letters and digits. */
  readonly id: string;
  readonly label: string;
  /** What it does: "effect charge-card". */
  readonly detail: string;
  /** Conditions and limits. */
  readonly notes: readonly string[];
  /** Its whole name, and what its author says about it. */
  readonly tip: string;
  /** Steps of one number can begin together; 0 where there is no order. */
  readonly wave: number;
  readonly state: State | undefined;
  /** Set on a group. */
  readonly inner: Level | undefined;
}

/** `order`: only order; `data`: the value is read as well; `any`: one of several of which some are enough; `error`: when it fails. */
export type EdgeKind = "order" | "data" | "any" | "error" | "time";
export interface PictureEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  readonly label: string;
}

/** What stands side by side. */
export interface Level {
  readonly nodes: readonly PictureNode[];
  readonly edges: readonly PictureEdge[];
}
export interface Picture extends Level {
  readonly title: string;
  /** Of a run: its status and what there is to say of it. */
  readonly subtitle: string;
}

/** Every node, groups before what stands in them. */
export function* nodesIn(level: Level): Generator<PictureNode> {
  for (const node of level.nodes) {
    yield node;
    if (node.inner) yield* nodesIn(node.inner);
  }
}
/** Every edge of every level. */
export function* edgesIn(level: Level): Generator<PictureEdge> {
  yield* level.edges;
  for (const node of level.nodes) if (node.inner) yield* edgesIn(node.inner);
}

/** Ids of a picture: n1, n2, … */
export class Ids {
  #count = 0;
  next(): string {
    return `n${++this.#count}`;
  }
}

/** What the lines mean that are in it, in words. */
export function legend(picture: Picture): readonly (readonly [EdgeKind, string])[] {
  const kinds = new Set([...edgesIn(picture)].map(({ kind }) => kind));
  return meanings.filter(([kind]) => kinds.has(kind));
}
const meanings: readonly (readonly [EdgeKind, string])[] = [
  ["data", "its value is read"],
  ["order", "order only"],
  ["any", "some of several are enough"],
  ["error", "when it fails"],
  ["time", "one after the other"],
];
