/** Where onex stands, as stacks name it: "/app/node_modules/onex/dist/". A user may have a src/core of his own. */
const own = (import.meta as unknown as { readonly url: string }).url
  .replace(/^file:\/\/(?:\/(?=[A-Za-z]:))?/, "")
  .replace(/core\/place\.[jt]s.*$/, "");
const ownFolders = ["core", "node", "plan", "engine", "testing"].flatMap((folder) => [`${own}${folder}/`, `${decodeURI(own)}${folder}/`]);

/** The first line of a stack that is not onex's own: where the user's code stands. */
export function placeOf(stack: string): string {
  for (const line of stack.split("\n").slice(1)) {
    const plain = line.replaceAll("\\", "/");
    if (line.includes("node:internal") || ownFolders.some((folder) => plain.includes(folder))) continue;
    const place = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?\s*$/.exec(line)?.[1];
    if (place) return place.replace(/^file:\/\//, "");
  }
  return "";
}
