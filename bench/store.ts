/** Where runs are kept while something is measured: a file, or a database of a PostgreSQL server that comes and goes with the bench. */
import { createOrchestrator, type Orchestrator, type Store, sqlite } from "onex";
import { startPostgres, type TestServer } from "../test/postgres/server.ts";
import { inFolder } from "./folder.ts";

export type StoreKind = "sqlite" | "postgres";

/** A fresh and empty store. */
export interface Place {
  /** `sqlite:FILE` or `postgres://…`. */
  readonly url: string;
  open(): Promise<Store>;
}

let server: Promise<TestServer> | undefined;

/** The server of this bench, started by whoever asks first. As PostgreSQL is installed, but for what its size needs. */
export function postgresServer(): Promise<TestServer> {
  server ??= startPostgres({ settings: { shared_buffers: "128MB", max_wal_size: "4GB" } });
  return server;
}
export async function stopServer(): Promise<void> {
  await (await server)?.stop();
}

export async function inStore<T>(kind: StoreKind, work: (place: Place) => Promise<T>): Promise<T> {
  if (kind === "sqlite") return inFolder((file) => work({ url: `sqlite:${file}`, open: async () => sqlite(file) }));
  const { url, createDatabase } = await postgresServer().then((server) => ({
    url: (name: string) => server.url(name),
    createDatabase: () => server.createDatabase(),
  }));
  return work(placeAt(url(await createDatabase())));
}

/** A place by its URL, as another process is told it. */
export function placeAt(url: string, options: { readonly leaseMs?: number } = {}): Place {
  if (url.startsWith("sqlite:")) return { url, open: async () => sqlite(url.slice("sqlite:".length)) };
  return { url, open: async () => (await import("onex/postgres")).postgres(url, options) };
}

type Nodes = Parameters<typeof createOrchestrator>[0]["nodes"];

/** Opens an orchestrator on a fresh store, uses it, closes it. */
export function withOrchestrator<T>(
  kind: StoreKind,
  nodes: Nodes,
  use: (orchestrator: Orchestrator, place: Place) => Promise<T>,
): Promise<T> {
  return inStore(kind, (place) => withOrchestratorAt(place, nodes, (orchestrator) => use(orchestrator, place)));
}

/** The same on a store that may hold something. */
export async function withOrchestratorAt<T>(place: Place, nodes: Nodes, use: (orchestrator: Orchestrator) => Promise<T>): Promise<T> {
  const orchestrator = createOrchestrator({ store: await place.open(), nodes });
  try {
    return await use(orchestrator);
  } finally {
    await orchestrator.close();
  }
}
