/** Random workflows as trees, the same for the program that plays them and for the test that judges what was done. */

/**
 * @typedef {{ readonly k: "act", readonly id: number } | { readonly k: "seq" | "all" | "each" | "attempt" | "child", readonly of: readonly Tree[] }} Tree
 */

/** Numbers in [0, 1) from a seed (mulberry32). @param {number} seed */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A workflow of two to eight acts. @param {number} seed @returns {{ readonly tree: Tree, readonly acts: number }} */
export function plant(seed) {
  const draw = random(seed + 1);
  const most = 2 + Math.floor(draw() * 7);
  let acts = 0;
  /** @param {number} depth @returns {Tree} */
  const grow = (depth) => {
    if (depth === 0 || acts >= most || draw() < 0.35) return { k: "act", id: acts++ };
    const k = /** @type {const} */ (["seq", "seq", "all", "each", "attempt", "child"])[Math.floor(draw() * 6)] ?? "seq";
    return { k, of: Array.from({ length: 1 + Math.floor(draw() * 3) }, () => grow(depth - 1)) };
  };
  /** @type {Tree[]} */
  const of = [];
  while (acts < most) of.push(grow(3));
  return { tree: { k: "seq", of }, acts };
}

/**
 * What stands in the end when the act `failing` fails: a scope that fails keeps nothing.
 * @param {Tree} tree @param {number} failing
 * @returns {{ readonly failed: boolean, readonly kept: readonly number[] }}
 */
export function foretell(tree, failing) {
  if (tree.k === "act") return tree.id === failing ? { failed: true, kept: [] } : { failed: false, kept: [tree.id] };
  const parts = tree.of.map((part) => foretell(part, failing));
  const failed = parts.some((part) => part.failed);
  if (!failed) return { failed, kept: parts.flatMap((part) => part.kept) };
  return { failed: tree.k !== "attempt", kept: [] };
}
