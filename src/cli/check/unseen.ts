/** What is said of nodes that live elsewhere, and of which this process has no code. */
import { clean } from "../output.ts";

/** Which they are, what is not known of them, and how it would be. Nothing when there are none. */
export function unseenLines(unseen: ReadonlyMap<string, URL>): readonly string[] {
  if (unseen.size === 0) return [];
  const [who, them, they] =
    unseen.size === 1 ? ["a node lives", "it", "it takes and gives"] : [`${unseen.size} nodes live`, "them", "they take and give"];
  return [
    `${who} elsewhere, and only \`endpoints\` tells of ${them}:`,
    ...[...unseen].map(([name, { href }]) => `  ${clean(name)} at ${clean(href)}`),
    `what ${they} is not checked; an effect is tried once unless its step has \`retry\`, and taken back only by the \`undo\` of its step`,
    `a module that exports ${them} as well lets all of that be known`,
  ];
}
