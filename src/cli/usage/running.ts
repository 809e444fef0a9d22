/** Commands that drive runs. */
import { Option } from "commander";
import { type AddCommand, type Done, jsonFlag, nodes, store } from "./kit.ts";

export function running(command: AddCommand, done: Done): void {
  command("run", "start a workflow, show it, print its output", [
    "onex run checkout.yaml --nodes nodes.ts --input @order.json",
    `onex run shop.ts#checkout --input '{"amount": 12}' --run-id order-7`,
    "cat order.json | onex run shop.ts --input - --json",
  ])
    .argument("<file>", "a YAML workflow, or a module that exports one; of several FILE#name")
    .addOption(new Option("--input <json>", "the input: JSON, @FILE, or - for standard input (default: {})"))
    .addOption(nodes())
    .addOption(store())
    .addOption(new Option("--run-id <id>", "the id of the run: the same id is the same run"))
    .addOption(new Option("--at <time>", "begin then and not before: an ISO time, such as 2030-01-31T06:00Z"))
    .addOption(new Option("--priority <n>", "1 to 1000, lower goes first (default: 100)"))
    .addOption(jsonFlag("print the run as one JSON object instead of its output"))
    .action(async (file, options) => done(await (await import("../commands/run.ts")).run(file, options)));

  command("dev", "drive the runs of a project while it is written", ["onex dev", "onex dev shop.ts --store sqlite:dev.db"])
    .argument("[files...]", "folders of generated nodes, modules, YAML workflows (default: this folder)")
    .addOption(nodes())
    .addOption(store())
    .action(async (files, options) => done(await (await import("../commands/dev.ts")).dev(files, options)));

  command("work", "drive the runs in the store", [
    "onex work shop.ts",
    "onex work checkout.yaml --nodes nodes.ts --until-idle",
    "onex work shop.ts --store postgres://shop@db.internal/shop --lease 10s",
  ])
    .argument("[files...]", "modules and YAML workflows: the code of the runs to drive")
    .addOption(nodes())
    .addOption(store())
    .addOption(new Option("--lease <time>", "PostgreSQL: how long others wait before they take the runs of one that died (default: 10s)"))
    .addOption(new Option("--until-idle", "end when there is nothing to do now"))
    .action(async (files, options) => done(await (await import("../commands/work.ts")).work(files, options)));
}
