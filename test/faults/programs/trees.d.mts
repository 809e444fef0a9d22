export type Tree =
  | { readonly k: "act"; readonly id: number }
  | { readonly k: "seq" | "all" | "each" | "attempt" | "child"; readonly of: readonly Tree[] };
export function plant(seed: number): { readonly tree: Tree; readonly acts: number };
export function foretell(tree: Tree, failing: number): { readonly failed: boolean; readonly kept: readonly number[] };
