/** The formats that a picture can be drawn in. */
import type { Style } from "../output.ts";
import { dotOf } from "./dot.ts";
import { mermaidOf } from "./mermaid.ts";
import type { Picture } from "./picture.ts";
import { svgOf } from "./svg.ts";
import { textOf } from "./text.ts";

export const formats = ["text", "svg", "mermaid", "dot"] as const;
export type Format = (typeof formats)[number];

/** @param page of text: its colours, and its width in columns. */
export async function draw(picture: Picture, format: Format, page: { readonly style: Style; readonly width: number }): Promise<string> {
  switch (format) {
    case "text":
      return `${textOf(picture, page.style, page.width)}\n`;
    case "svg":
      return svgOf(picture);
    case "mermaid":
      return mermaidOf(picture);
    case "dot":
      return dotOf(picture);
  }
}
