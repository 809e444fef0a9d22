/**
 * Where everything stands: dagre lays out each group by itself, the deepest first, and a group is a box of that size in the
 * level around it. So an edge may end at a group, and no line crosses the border of one.
 */
import type { Edge as DagreEdge } from "@dagrejs/dagre";
import type { Level, Picture, PictureEdge, PictureNode } from "./picture.ts";
import { marks } from "./text.ts";
import { cutTo, linesOf, pixels } from "./widths.ts";

export interface Line {
  readonly text: string;
  readonly size: number;
  readonly kind: "label" | "detail" | "note" | "state";
}
/** A box and what is written in it; x and y are its corner within the level. */
export interface Box {
  readonly node: PictureNode;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly Line[];
  readonly inner: Plane | undefined;
}
interface Point {
  readonly x: number;
  readonly y: number;
}
export interface Wire {
  readonly edge: PictureEdge;
  /** From above to below. */
  readonly points: readonly Point[];
  /** The middle of its label. */
  readonly label: { readonly x: number; readonly y: number } | undefined;
}
/** A level that is laid out, in pixels. */
export interface Plane {
  readonly boxes: readonly Box[];
  readonly wires: readonly Wire[];
  readonly width: number;
  readonly height: number;
}

export const padding = 12;
export const lineGap = 5;
const most = 230;
/** A wire comes straight down for so long, so that its arrow points at the box. */
const headLength = 9;
/** Above so many nodes a level is ranked in the quick way. */
const many = 300;

type Dagre = typeof import("@dagrejs/dagre");

export async function layOut(picture: Picture): Promise<Plane> {
  return plane(await import("@dagrejs/dagre"), picture);
}

function plane(dagre: Dagre, { nodes, edges }: Level): Plane {
  const graph = new dagre.Graph({ multigraph: true });
  graph.setGraph({
    rankdir: "TB",
    nodesep: 22,
    ranksep: 46,
    marginx: 2,
    marginy: 2,
    ranker: nodes.length > many ? "longest-path" : "network-simplex",
  });
  const drafts = nodes.map((node) => {
    const inner = node.inner && plane(dagre, node.inner);
    const lines = written(node);
    const text = Math.max(...lines.map(({ text: each, size }) => pixels(each, size)));
    const head = lines.reduce((sum, { size }) => sum + size + lineGap, 0);
    const width = Math.max(70, text + 2 * padding, inner ? inner.width + 2 * padding : 0);
    const height = head + 2 * padding - lineGap + (inner ? inner.height + padding : 0);
    return { node, lines, inner, width: Math.ceil(width), height: Math.ceil(height) };
  });
  for (const { node, width, height } of drafts) graph.setNode(node.id, { width, height });
  for (const [i, { from, to, label }] of edges.entries())
    graph.setEdge(from, to, label === "" ? {} : { width: pixels(label, 11) + 6, height: 16, labelpos: "c" }, String(i));
  dagre.layout(graph);
  const boxes = drafts.map(({ node, lines, inner, width, height }): Box => {
    const at = graph.node(node.id) as { readonly x: number; readonly y: number };
    return { node, lines, inner, width, height, x: at.x - width / 2, y: at.y - height / 2 };
  });
  const ranks = ranksOf(boxes);
  const wires = (graph.edges() as DagreEdge[]).map((key): Wire => {
    const edge = edges[Number(key.name)] as PictureEdge;
    const at = graph.edge(key) as { readonly points: readonly Point[]; readonly x?: number; readonly y?: number };
    const label = edge.label !== "" && at.x !== undefined && at.y !== undefined ? { x: at.x, y: at.y } : undefined;
    return { edge, points: routed(ranks.get(edge.from), between(at.points, label), ranks.get(edge.to)), label };
  });
  const { width = 0, height = 0 } = graph.graph() as { readonly width?: number; readonly height?: number };
  return { boxes, wires, width: Math.max(0, width), height: Math.max(0, height) };
}

/** A box, and the band of all boxes that stand beside it. */
interface Ranked {
  readonly box: Box;
  readonly top: number;
  readonly bottom: number;
}

function ranksOf(boxes: readonly Box[]): ReadonlyMap<string, Ranked> {
  const bands = new Map<number, { top: number; bottom: number }>();
  const middle = ({ y, height }: Box) => Math.round(y + height / 2);
  for (const box of boxes) {
    const band = bands.get(middle(box)) ?? { top: box.y, bottom: box.y };
    bands.set(middle(box), { top: Math.min(band.top, box.y), bottom: Math.max(band.bottom, box.y + box.height) });
  }
  return new Map(boxes.map((box) => [box.node.id, { box, ...(bands.get(middle(box)) ?? { top: box.y, bottom: box.y + box.height }) }]));
}

/** Down from the middle of one box to the middle of the other; sideways only between the bands, so no line hides behind a box. */
function routed(from: Ranked | undefined, through: readonly Point[], to: Ranked | undefined): readonly Point[] {
  if (!from || !to) return through;
  const out = { x: from.box.x + from.box.width / 2, y: from.box.y + from.box.height };
  const into = { x: to.box.x + to.box.width / 2, y: to.box.y };
  return [out, { x: out.x, y: from.bottom }, ...through, { x: into.x, y: to.top - headLength }, into];
}

/** What dagre routes a wire through; between neighbouring bands nothing is in its way. */
function between(points: readonly Point[], label: Point | undefined): readonly Point[] {
  return points.length === 3 && !label ? [] : points.slice(1, -1);
}

function written(node: PictureNode): Line[] {
  const { state } = node;
  const cut = (text: string, size: number) => cutTo(text, most, (each) => pixels(each, size));
  const broken = (text: string) => linesOf(text, most, 2, (each) => pixels(each, 11));
  return [
    { text: cut(`${state ? `${marks[state.name]} ` : ""}${node.label}`, 14), size: 14, kind: "label" },
    { text: cut(node.detail, 12), size: 12, kind: "detail" },
    ...node.notes.flatMap(broken).map((text): Line => ({ text, size: 11, kind: "note" })),
    ...(state ? broken(`${state.name} ${state.note}`.trim()).map((text): Line => ({ text, size: 11, kind: "state" })) : []),
  ];
}
