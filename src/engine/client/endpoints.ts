/** Where nodes live that are not in this process: from configuration, and from nowhere else. */
import { OnexError } from "../../core/failure.ts";
import { copyJson } from "../../core/json.ts";
import { type NodeKind, Op } from "../../core/operation.ts";
import { type AnyNode, type Contract, type EffectContract, nodeName } from "../../node/contract.ts";
import { Registry } from "../../node/registry.ts";
import type { Schema } from "../../node/schema.ts";
import type { World } from "../world.ts";

/** Node name → URL, checked. */
export type Endpoints = ReadonlyMap<string, URL>;

/** Checks what was configured. Throws OnexError `OPTION_INVALID` with every complaint. */
export function readEndpoints(given: Readonly<Record<string, string>>): Endpoints {
  const endpoints = new Map<string, URL>();
  const complaints: string[] = [];
  for (const [name, text] of Object.entries(given)) {
    const problem = nodeName.test(name) ? problemOf(text) : "the name of a node is kebab-case, such as charge-card";
    if (problem === undefined) endpoints.set(name, new URL(text));
    else complaints.push(`${name}: ${problem}`);
  }
  if (complaints.length > 0)
    throw new OnexError("OPTION_INVALID", `endpoints: ${complaints.join("; ")}. Write { "charge-card": "http://host:port/path" }`);
  return endpoints;
}

/** Throws OnexError `REMOTE_REFUSED` for a node that cannot live elsewhere. */
export function refuseRemote(endpoints: Endpoints, contracts: readonly Contract[]): void {
  for (const contract of contracts) {
    const { kind, name } = contract;
    if (!endpoints.has(name)) continue;
    if (mayBeRemote(kind)) continue;
    throw new OnexError(
      "REMOTE_REFUSED",
      kind === "reducer"
        ? `endpoints: ${name} is a reducer, and its state lies in this orchestrator's store, where it is written with the turn that causes it; take it out`
        : `endpoints: ${name} is a workflow, and its runs are driven by whoever owns the store; take it out, or call an effect there that starts it`,
    );
  }
}

/** Whether this process makes no call of that node itself: a test plays it, or it lives behind a URL. */
export function isElsewhere(world: Pick<World, "stage">, endpoints: ReadonlyMap<string, unknown>, name: string): boolean {
  return endpoints.has(name) || (world.stage?.isStubbed(name) ?? false);
}

function problemOf(text: unknown): string | undefined {
  if (typeof text !== "string" || !URL.canParse(text)) return `${JSON.stringify(text)} is no URL`;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return `${url.protocol} is neither http: nor https:`;
  if (url.username !== "" || url.password !== "") return "a URL with credentials would be shown and logged";
  if (url.hash !== "") return `a URL with a fragment (${url.hash}) names no endpoint`;
  return undefined;
}

export function mayBeRemote(kind: NodeKind): boolean {
  return kind === "compute" || kind === "effect";
}

/** The nodes that were given, and those that only endpoints name: of these nobody here knows a schema. */
export class EndpointRegistry extends Registry {
  readonly #endpoints: Endpoints;
  readonly #made = new Map<string, AnyNode>();

  constructor(nodes: readonly AnyNode[], endpoints: Endpoints) {
    super(nodes);
    this.#endpoints = endpoints;
  }

  override find(kind: NodeKind, reference: string): AnyNode | undefined {
    const found = super.find(kind, reference);
    if (found || this.#endpoints.size === 0 || !mayBeRemote(kind)) return found;
    const [name = "", pin = "*"] = reference.split("@");
    if (!this.#endpoints.has(name) || this.holds(name)) return undefined;
    const key = `${kind} ${name}@${pin}`;
    const made = this.#made.get(key) ?? elsewhere(kind as "compute" | "effect", name, pin);
    this.#made.set(key, made);
    return made;
  }

  /** Nodes that were asked for and that only endpoints name, with their URLs: what they take, give and promise nobody here knows. */
  unseen(): Endpoints {
    const names = new Set([...this.#made.values()].map(({ contract }) => contract.name));
    return new Map([...this.#endpoints].filter(([name]) => names.has(name)));
  }

  override names(kind: NodeKind): readonly string[] {
    const names = super.names(kind);
    return mayBeRemote(kind) && this.#endpoints.size > 0
      ? [...names, ...[...this.#endpoints.keys()].filter((name) => !this.holds(name))]
      : names;
  }
}

/** Takes every value as it is. */
const anything: Schema = { "~standard": { version: 1, vendor: "onex", validate: (value) => ({ value }) } };

/** A node of which only the name is known here; it promises nothing, so it is tried once unless a step says otherwise. */
function elsewhere(kind: "compute" | "effect", name: string, version: string): AnyNode {
  const contract = {
    kind,
    name,
    version,
    input: anything,
    output: undefined,
    uses: {},
    run: () => {
      throw new OnexError("NODE_UNREACHABLE", `${kind} ${name} is not in this process`);
    },
    decode: copyJson,
    decodeInput: copyJson,
  } satisfies Contract & Omit<Partial<EffectContract>, "kind">;
  return Object.assign((input: never, options: object = {}) => new Op({ kind: "call", callee: contract, input, options }), { contract });
}
