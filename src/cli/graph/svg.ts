/** A picture as one SVG that needs nothing else, in the colours of the reader's screen: light or dark. */
import { clean } from "../output.ts";
import { type Box, layOut, lineGap, type Plane, padding, type Wire } from "./layout.ts";
import { legend, type Picture } from "./picture.ts";
import { pixels } from "./widths.ts";

const margin = 20;

export async function svgOf(picture: Picture): Promise<string> {
  const plane = await layOut(picture);
  const lines = legend(picture);
  const legendWidth = lines.reduce((sum, [, text]) => sum + pixels(text, 11) + 56, 0);
  const subtitle = picture.subtitle === "" ? 0 : 20;
  const top = margin + 26 + subtitle;
  const width = Math.ceil(Math.max(plane.width, pixels(picture.title, 18), pixels(picture.subtitle, 12), legendWidth) + 2 * margin);
  const height = Math.ceil(top + plane.height + (lines.length > 0 ? 34 : 0) + margin);
  const left = (width - plane.width) / 2;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(picture.title)}</title>`,
    `<style>${css}</style>`,
    `<defs>${["", "error"].map(marker).join("")}</defs>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    `<text class="title" x="${margin}" y="${margin + 14}" font-size="18">${escaped(picture.title)}</text>`,
    ...(subtitle > 0 ? [`<text class="note" x="${margin}" y="${margin + 34}" font-size="12">${escaped(picture.subtitle)}</text>`] : []),
    `<g transform="translate(${fixed(left)} ${top})">`,
    ...planeLines(plane),
    "</g>",
  ];
  let x = margin;
  const y = height - margin;
  for (const [kind, text] of lines) {
    out.push(`<path class="wire ${kind}" d="M${fixed(x)} ${y - 4}h28" marker-end="url(#arrow${kind === "error" ? "error" : ""})"/>`);
    out.push(`<text class="note" x="${fixed(x + 38)}" y="${y}" font-size="11">${escaped(text)}</text>`);
    x += pixels(text, 11) + 56;
  }
  return `${[...out, "</svg>"].join("\n")}\n`;
}

function planeLines({ boxes, wires }: Plane): string[] {
  return [...wires.map(wireLine), ...boxes.flatMap(boxLines), ...wires.flatMap(wireLabel)];
}

function boxLines({ node, x, y, width, height, lines, inner }: Box): string[] {
  const state = node.state ? ` ${node.state.name.replaceAll(" ", "-")}` : "";
  const out = [
    `<g class="${inner ? "group" : "step"}${state}" transform="translate(${fixed(x)} ${fixed(y)})">`,
    `<title>${escaped(node.tip)}</title>`,
    `<rect width="${width}" height="${height}" rx="${inner ? 10 : 7}"/>`,
  ];
  let at = padding - 2;
  for (const { text, size, kind } of lines) {
    at += size;
    const place = inner ? `x="${padding}"` : `x="${fixed(width / 2)}" text-anchor="middle"`;
    out.push(`<text class="${kind}" ${place} y="${fixed(at)}" font-size="${size}">${escaped(text)}</text>`);
    at += lineGap;
  }
  if (inner)
    out.push(
      `<g transform="translate(${fixed((width - inner.width) / 2)} ${fixed(at + padding - lineGap)})">`,
      ...planeLines(inner),
      "</g>",
    );
  return [...out, "</g>"];
}

function wireLine({ edge, points }: Wire): string {
  return `<path class="wire ${edge.kind}" d="${curve(points)}" marker-end="url(#arrow${edge.kind === "error" ? "error" : ""})"/>`;
}
function wireLabel({ edge, label }: Wire): string[] {
  if (!label) return [];
  const width = pixels(edge.label, 11) + 6;
  return [
    `<rect class="behind" x="${fixed(label.x - width / 2)}" y="${fixed(label.y - 8)}" width="${fixed(width)}" height="16" rx="3"/>`,
    `<text class="note" x="${fixed(label.x)}" y="${fixed(label.y + 4)}" text-anchor="middle" font-size="11">${escaped(edge.label)}</text>`,
  ];
}

/** Through the points, straight down at each of them. */
function curve([first, ...rest]: Wire["points"]): string {
  if (!first) return "";
  let path = `M${fixed(first.x)} ${fixed(first.y)}`;
  let at = first;
  for (const next of rest) {
    const half = fixed((at.y + next.y) / 2);
    path += at.x === next.x ? `V${fixed(next.y)}` : `C${fixed(at.x)} ${half} ${fixed(next.x)} ${half} ${fixed(next.x)} ${fixed(next.y)}`;
    at = next;
  }
  return path;
}

function marker(kind: string): string {
  return `<marker id="arrow${kind}" class="head ${kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>`;
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Text of XML: no markup, and none of the characters that XML has no place for. */
function escaped(text: string): string {
  return clean(text)
    .replaceAll(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|[\ufffe\uffff]/g, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

const css = `
svg{--page:#fff;--text:#1f2328;--soft:#59636e;--line:#6e7781;--box:#f6f8fa;--edge:#afb8c1;--group:#8c959f0d;--red:#cf222e;
--ok:#1a7f37;--okbox:#dafbe1;--go:#0969da;--gobox:#ddf4ff;--wait:#9a6700;--waitbox:#fff8c5;--redbox:#ffebe9;--back:#8250df;--backbox:#fbefff}
@media (prefers-color-scheme:dark){svg{--page:#0d1117;--text:#e6edf3;--soft:#9198a1;--line:#8b949e;--box:#161b22;--edge:#484f58;--group:#8b949e14;--red:#f85149;
--ok:#3fb950;--okbox:#12261e;--go:#58a6ff;--gobox:#121d2f;--wait:#d29922;--waitbox:#272115;--redbox:#2d1315;--back:#a371f7;--backbox:#1e1530}}
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--text)}
.title,.label{font-weight:600}.detail,.note{fill:var(--soft)}.page,.behind{fill:var(--page)}
.step>rect{fill:var(--box);stroke:var(--edge)}.group>rect{fill:var(--group);stroke:var(--edge)}
.wire{fill:none;stroke:var(--line);stroke-width:1.3}.wire.order{stroke-dasharray:6 4}.wire.any{stroke-dasharray:2 3}.wire.error{stroke:var(--red);stroke-dasharray:6 4}
.head path{fill:var(--line)}.head.error path{fill:var(--red)}
.step.completed>rect{fill:var(--okbox)}.completed>rect{stroke:var(--ok)}.completed>.state{fill:var(--ok)}
.step.running>rect{fill:var(--gobox)}.running>rect{stroke:var(--go);stroke-width:2}.running>.state{fill:var(--go)}
.step.waiting>rect,.step.paused>rect,.step.retrying>rect{fill:var(--waitbox)}.waiting>rect,.paused>rect,.retrying>rect{stroke:var(--wait);stroke-width:2}
.waiting>.state,.paused>.state,.retrying>.state{fill:var(--wait)}
.step.failed>rect,.step.aborted>rect{fill:var(--redbox)}.failed>rect,.aborted>rect{stroke:var(--red);stroke-width:2}.failed>.state,.aborted>.state{fill:var(--red)}
.step.undone>rect{fill:var(--backbox)}.undone>rect{stroke:var(--back)}.undone>.state{fill:var(--back)}
.skipped>rect{stroke-dasharray:4 3}.skipped>text,.not-begun>text{fill:var(--soft)}
`.trim();
