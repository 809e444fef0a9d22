/** Everything that `onex doctor` looks at. Never writes, never owns, never makes a store. */
import { type Asked, checkConfiguration, type Loader } from "./configuration.ts";
import { checkInstallation } from "./installation.ts";
import type { Check } from "./report.ts";
import type { System } from "./system.ts";

export async function diagnose(asked: Asked & { readonly deep?: boolean }, system: System, loader?: Loader): Promise<readonly Check[]> {
  const installation = checkInstallation(system);
  const { checks, at } = await checkConfiguration(asked, system, loader);
  if (at?.database) {
    const { checkPostgres } = await import("./postgres.ts");
    return [...installation, ...checks, ...(await checkPostgres(at, system))];
  }
  // Without a driver there is no way into the file.
  if (!at || !system.drivers.some(({ usable }) => usable)) return [...installation, ...checks];
  const { checkStore } = await import("./store.ts");
  return [...installation, ...checks, ...checkStore(at, system, asked.deep === true)];
}
