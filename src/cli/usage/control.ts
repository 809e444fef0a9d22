/** Commands that tell a run how to go on, or remove what has ended. */
import { Argument, Option } from "commander";
import { type AddCommand, collect, type Done, jsonFlag, nodes, store } from "./kit.ts";

export function control(command: AddCommand, done: Done): void {
  command("signal", "send a signal to a run", [
    `onex signal order-7 approval '{"by": "bob"}'`,
    "onex signal order-7 approval @answer.json --id mail-31",
  ])
    .argument("<run>", "the id of the run")
    .argument("<name>", "the name of the signal")
    .addArgument(new Argument("[payload]", "its payload: JSON, @FILE, or - for standard input (default: null)"))
    .addOption(new Option("--id <message-id>", "the same id counts once, however often it is sent"))
    .addOption(store())
    .action(async (run, name, payload, options) => done(await (await import("../commands/signal.ts")).signal(run, name, payload, options)));

  command("cancel", "ask a run to stop and take back what it did", [`onex cancel order-7 --reason "out of stock"`])
    .argument("<run>", "the id of the run")
    .addOption(new Option("--reason <text>", "kept with the run"))
    .addOption(store())
    .action(async (run, options) => done(await (await import("../commands/cancel.ts")).cancel(run, options)));

  command("pause", "begin nothing new in a run until it is resumed", [`onex pause order-7 --reason "the bank is down"`])
    .argument("<run>", "the id of the run")
    .addOption(new Option("--reason <text>", "shown with the run"))
    .addOption(store())
    .action(async (run, options) => done(await (await import("../commands/pause.ts")).pause(run, options)));

  command("resume", "go on with a paused run, or settle a step that is in doubt", [
    "onex resume order-7",
    "onex resume order-7 --step charge-card --retry",
    `onex resume order-7 --step charge-card --output '{"receipt": "r-1"}'`,
  ])
    .argument("<run>", "the id of the run")
    .addOption(new Option("--step <step>", "the step to settle"))
    .addOption(new Option("--retry", "send it again"))
    .addOption(new Option("--fail", "count it as failed"))
    .addOption(new Option("--output <json>", "it happened: record this as its output (JSON, @FILE, or -)"))
    .addOption(store())
    .action(async (run, options) => done(await (await import("../commands/resume.ts")).resume(run, options)));

  command("retry", "try a failed or cancelled run again, from what failed", ["onex retry order-7", "onex retry order-7 --from charge-card"])
    .argument("<run>", "the id of a run that has ended, or is paused")
    .addOption(new Option("--from <step>", "do this step anew, and all that follows it (default: what failed or was taken back)"))
    .addOption(new Option("--run-id <id>", "the id of the new run"))
    .addOption(store())
    .action(async (run, options) => done(await (await import("../commands/retry.ts")).retry(run, options)));

  command("fork", "start a run that shares the past of another one, up to a step", [
    "onex fork order-7 --from charge-card",
    `onex fork order-7 --from charge-card --input '{"amount": 10}' --run-id order-7b`,
  ])
    .argument("<run>", "the id of a run that has ended, or is paused")
    .addOption(new Option("--from <step>", "the step that is done anew, and all that follows it (default: everything)"))
    .addOption(new Option("--input <json>", "another input of that step, or of the run: JSON, @FILE, or -"))
    .addOption(new Option("--run-id <id>", "the id of the new run"))
    .addOption(store())
    .action(async (run, options) => done(await (await import("../commands/fork.ts")).fork(run, options)));

  command("migrate", "move runs under way to another version of their workflow, where that is safe", [
    "onex migrate old.yaml new.yaml --nodes nodes.ts --dry-run",
    "onex migrate old.yaml new.yaml --nodes nodes.ts --run order-7 --run order-8",
  ])
    .argument("<old>", "a YAML workflow or a module; of several workflows FILE#name")
    .argument("<new>", "the definition to go on with")
    .addOption(nodes())
    .addOption(new Option("--run <id>", "only this run (may be given again)").argParser(collect))
    .addOption(new Option("--dry-run", "only say what would be moved"))
    .addOption(store())
    .addOption(jsonFlag("print what becomes of each run as one JSON object"))
    .action(async (from, to, options) => done(await (await import("../commands/migrate.ts")).migrate(from, to, options)));

  command("prune", "remove runs that ended long ago, after showing which", [
    "onex prune --older-than 30d --dry-run",
    "onex prune --older-than 90d --status completed,cancelled --yes",
  ])
    .addOption(new Option("--older-than <time>", "only runs that ended longer ago than this, such as 30d"))
    .addOption(new Option("--status <list>", "only these: completed, failed, cancelled, with commas between (default: all three)"))
    .addOption(new Option("--workflow <name>", "only of this workflow"))
    .addOption(new Option("--limit <n>", "at most so many, the oldest first (default: all)"))
    .addOption(
      new Option("--keep-ids <time>", "no start runs again under the id of a removed run, until so long after its end (default: 30d)"),
    )
    .addOption(new Option("--dry-run", "only show what would be removed"))
    .addOption(new Option("-y, --yes", "do not ask"))
    .addOption(store())
    .addOption(jsonFlag("print what is removed as one JSON object"))
    .action(async (options) => done(await (await import("../commands/prune.ts")).prune(options)));

  command("promote", "move all runs of a file into a PostgreSQL database", [
    "onex promote sqlite:shop.db postgres://shop@db.example/shop --dry-run",
    "onex promote sqlite:shop.db postgres://shop@db.example/shop --yes",
    "onex promote sqlite:shop.db postgres://shop@db.example/shop --abort",
  ])
    .argument("<from>", "sqlite:FILE; no process may drive its runs meanwhile")
    .argument("<to>", "postgres://USER@HOST:PORT/DATABASE; the password may stand in PGPASSWORD")
    .addOption(new Option("--schema <name>", "the schema of its tables (default: onex)"))
    .addOption(new Option("--dry-run", "only say what would be moved, and what stands in the way"))
    .addOption(new Option("--abort", "take back a promotion that is not done; the runs go on in the file"))
    .addOption(new Option("--force", "with --abort: also when the database knows nothing of it any more"))
    .addOption(new Option("-y, --yes", "do not ask"))
    .addOption(jsonFlag("print what was moved as one JSON object"))
    .action(async (from, to, options) => done(await (await import("../commands/promote.ts")).promote(from, to, options)));
}
