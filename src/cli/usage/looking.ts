/** Commands that show what runs did, and change nothing. */
import { Option } from "commander";
import { type AddCommand, type Done, jsonFlag, store } from "./kit.ts";

const statuses = ["pending", "running", "waiting", "paused", "compensating", "completed", "failed", "cancelled"];

export function looking(command: AddCommand, done: Done): void {
  command("ls", "list runs, newest first", ["onex ls", "onex ls --status failed --json"])
    .alias("list")
    .addOption(new Option("--status <status>", "only these").choices(statuses))
    .addOption(new Option("--workflow <name>", "only of this workflow"))
    .addOption(new Option("--limit <n>", "at most so many (default: 50)"))
    .addOption(store())
    .addOption(jsonFlag("print one JSON array"))
    .action(async (options) => done(await (await import("../commands/ls.ts")).ls(options)));

  command("show", "show a run: steps, errors, how it goes on", ["onex show order-7", "onex show order-7 --facts"])
    .argument("<run>", "the id of the run")
    .addOption(new Option("--facts", "list what happened, one fact a line"))
    .addOption(store())
    .addOption(jsonFlag("print the run as one JSON object; with --facts one object a line"))
    .action(async (run, options) => done(await (await import("../commands/show.ts")).show(run, options)));

  command("schedules", "list schedules, and when they tick", ["onex schedules", "onex schedules --json"])
    .addOption(store())
    .addOption(jsonFlag("print one JSON array"))
    .action(async (options) => done(await (await import("../commands/schedules.ts")).schedules(options)));

  command("doctor", "find what is wrong with the installation, the configuration and the store", [
    "onex doctor",
    "onex doctor --store sqlite:shop.db --deep",
  ])
    .addOption(store())
    .addOption(new Option("--deep", "let SQLite check the whole file, indexes too: it takes a while"))
    .addOption(jsonFlag("print what was found as one JSON array"))
    .action(async (options) => done(await (await import("../commands/doctor.ts")).doctor(options)));
}
