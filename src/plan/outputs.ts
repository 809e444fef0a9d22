/** What a workflow that came as data gives: read from its flow, since it declares no output. */
import type { Contract } from "../node/contract.ts";
import { any, type Field, listOf, nothing, type Type, union } from "./types.ts";
import type { Read } from "./workflow.ts";

const flows = new WeakMap<Contract, Read>();

/** Notes which flow a contract runs. */
export function rememberFlow(contract: Contract, read: Read): void {
  flows.set(contract, read);
}
export function flowOf(contract: Contract): Read | undefined {
  return flows.get(contract);
}

/** As others see it: that a step of its own was skipped is nothing that they could mend. */
export function fromOutside(type: Type, depth = 0): Type {
  if (depth > 6) return any;
  switch (type.kind) {
    case "null":
      return nothing;
    case "union":
      return union(type.of.map((member) => fromOutside(member, depth)));
    case "list":
      return listOf(fromOutside(type.item, depth + 1));
    case "map":
      return {
        ...type,
        fields: new Map(
          [...type.fields].map(([key, field]): [string, Field] => [key, { ...field, type: fromOutside(field.type, depth + 1) }]),
        ),
        rest: type.rest && fromOutside(type.rest, depth + 1),
      };
    default:
      return type;
  }
}
