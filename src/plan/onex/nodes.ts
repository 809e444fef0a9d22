/** Nodes as ONEX contracts name them. */
import type { NodeSource } from "../../node/contract.ts";
import { otherReferences } from "./names.ts";

/** Finds `node-data-fetcher-effect` too where a contract means `data-fetcher`; the short name counts first. */
export function withOtherNames(nodes: NodeSource): NodeSource {
  return {
    find(kind, reference) {
      const found = nodes.find(kind, reference);
      if (found) return found;
      for (const other of otherReferences(kind, reference)) {
        const node = nodes.find(kind, other);
        if (node) return node;
      }
      return undefined;
    },
    names: (kind) => nodes.names(kind),
  };
}
