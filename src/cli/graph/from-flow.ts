/** The picture of a flow; with a run of it, with how far each step is. */
import type { Flow } from "../../plan/flow.ts";
import { notesOf } from "../../plan/outlook/notes.ts";
import { blockOf, type Spot, spotsOf, verbWords } from "../../plan/outlook/spot.ts";
import { wavesOf } from "../../plan/outlook/waves.ts";
import { Ids, type Level, type Picture, type PictureEdge, type PictureNode, type State } from "./picture.ts";

/** What is known of the spots of a flow; nothing where there is no run. */
export type StateOf = (spot: Spot) => State | undefined;

export function flowPicture(flow: Flow, subtitle = "", run = spotsOf(flow), stateOf: StateOf = () => undefined): Picture {
  const level = new Drawer(stateOf).inside(run);
  return { title: `${flow.name} ${flow.version}`, subtitle, ...level };
}

class Drawer {
  readonly #ids = new Ids();
  readonly #stateOf: StateOf;
  constructor(stateOf: StateOf) {
    this.#stateOf = stateOf;
  }

  inside(spot: Spot): Level {
    const nodes: PictureNode[] = [];
    const edges: PictureEdge[] = [];
    const ids = new Map<number, string>();
    const waves = wavesOf(spot);
    const inner =
      waves.length > 0
        ? waves.flatMap((wave, i) => wave.map((each) => ({ each, wave: i + 1 })))
        : spot.inner.map((each) => ({ each, wave: 0 }));
    for (const { each, wave } of inner) {
      const node = this.#node(each, wave);
      nodes.push(node);
      if (each.role === "step") ids.set(each.index, node.id);
      this.#instead(each, node, nodes, edges);
    }
    const [source, body] = spot.inner;
    if (source?.role === "stream" && body && nodes[0] && nodes.at(-1) !== nodes[0])
      edges.push({ from: nodes[0].id, to: nodes.find((_, i) => inner[i]?.each === body)?.id ?? nodes[0].id, kind: "data", label: "items" });
    this.#waits(spot, ids, edges);
    return { nodes, edges };
  }

  #node(spot: Spot, wave: number): PictureNode {
    const { description } = spot.step;
    return {
      id: this.#ids.next(),
      // As its id in a log says it.
      label: spot.role === "error" ? `${spot.parent?.name ?? ""}~error` : spot.name,
      detail: verbWords(spot),
      notes: notesOf(spot),
      tip: `${spot.path}: ${verbWords(spot)}${description === undefined ? "" : `. ${description}`}`,
      wave,
      state: this.#stateOf(spot),
      inner: spot.inner.length > 0 ? this.inside(spot) : undefined,
    };
  }

  /** What is done when it fails stands beside it. */
  #instead(spot: Spot, node: PictureNode, nodes: PictureNode[], edges: PictureEdge[]): void {
    if (!spot.error) return;
    const error = this.#node(spot.error, node.wave);
    nodes.push(error);
    edges.push({ from: node.id, to: error.id, kind: "error", label: "on error" });
    this.#instead(spot.error, error, nodes, edges);
  }

  #waits(spot: Spot, ids: ReadonlyMap<number, string>, edges: PictureEdge[]): void {
    const block = blockOf(spot);
    block?.dependents.forEach((list, i) => {
      for (const { step, any } of list) {
        const waiting = block.steps[step];
        const from = ids.get(i);
        const to = ids.get(step);
        if (!waiting || from === undefined || to === undefined) continue;
        const needed = waiting.body.needs?.any === undefined && waiting.body.needs?.names.some(({ name }) => name === block.steps[i]?.name);
        const label = any ? `${waiting.any?.count ?? 1} of ${waiting.any?.of.length ?? 1}` : "";
        edges.push({ from, to, kind: any ? "any" : needed ? "order" : "data", label });
      }
    });
  }
}
