/** The first line of a stack that is not onex's own: where the user's code stands. */
export function placeOf(stack: string): string {
  for (const line of stack.split("\n").slice(1)) {
    if (/[\\/](?:src|dist)[\\/](?:core|node|plan|engine|testing)[\\/]/.test(line) || line.includes("node:internal")) continue;
    const place = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?\s*$/.exec(line)?.[1];
    if (place) return place.replace(/^file:\/\//, "");
  }
  return "";
}
