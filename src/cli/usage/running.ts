/** Commands that drive runs. */
import { Option } from "commander";
import { type AddCommand, collect, type Done, jsonFlag, listen, nodes, store } from "./kit.ts";

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
    .addOption(listen())
    .addOption(new Option("--run-id <id>", "the id of the run: the same id is the same run"))
    .addOption(new Option("--at <time>", "begin then and not before: an ISO time, such as 2030-01-31T06:00Z"))
    .addOption(new Option("--priority <n>", "1 to 1000, lower goes first (default: 100)"))
    .addOption(jsonFlag("print the run as one JSON object instead of its output"))
    .action(async (file, options) => done(await (await import("../commands/run.ts")).run(file, options)));

  command("dev", "drive the runs of a project while it is written", ["onex dev", "onex dev shop.ts --store sqlite:dev.db"])
    .argument("[files...]", "folders of generated nodes, modules, YAML workflows (default: this folder)")
    .addOption(nodes())
    .addOption(store())
    .addOption(listen())
    .action(async (files, options) => done(await (await import("../commands/dev.ts")).dev(files, options)));

  command("work", "drive the runs in the store", [
    "onex work shop.ts",
    "onex work checkout.yaml --nodes nodes.ts --until-idle",
    "onex work shop.ts --store postgres://shop@db.internal/shop --lease 10s",
  ])
    .argument("[files...]", "modules and YAML workflows: the code of the runs to drive")
    .addOption(nodes())
    .addOption(store())
    .addOption(listen())
    .addOption(new Option("--lease <time>", "PostgreSQL: how long others wait before they take the runs of one that died (default: 10s)"))
    .addOption(new Option("--until-idle", "end when there is nothing to do now"))
    .action(async (files, options) => done(await (await import("../commands/work.ts")).work(files, options)));

  command("serve", "drive the runs in the store, and answer the HTTP API", [
    "onex serve shop.ts",
    "onex serve checkout.yaml --nodes nodes.ts --port 8080",
    "onex serve shop.ts --host 0.0.0.0 --token-file token.txt --allow-host orders.example",
  ])
    .argument("[files...]", "modules and YAML workflows: the code of the runs to drive; none: it only looks and leaves messages")
    .addOption(nodes())
    .addOption(store())
    .addOption(listen())
    .addOption(new Option("--port <n>", "where it listens; 0 takes a free one (default: 3300)"))
    .addOption(
      new Option("--host <address>", "the address that is bound; another one than this machine's own needs a token (default: 127.0.0.1)"),
    )
    .addOption(new Option("--token-file <file>", "the token that callers must send (default: $ONEX_TOKEN, else none)"))
    .addOption(new Option("--allow-host <name>", "a name by which callers know this server (may be given again)").argParser(collect))
    .addOption(new Option("--allow-origin <origin>", "an origin whose pages may call it (may be given again)").argParser(collect))
    .addOption(new Option("--lease <time>", "PostgreSQL: how long others wait before they take the runs of one that died (default: 10s)"))
    .addOption(new Option("--grace <time>", "how long requests and calls may take to end at a stop (default: 10s)"))
    .action(async (files, options) => done(await (await import("../commands/serve.ts")).serve(files, options)));

  command("nodes", "serve computes, effects and streams to orchestrators elsewhere", [
    "onex nodes payments.ts",
    "onex nodes payments.ts --host 0.0.0.0 --secret-file node-secret --record answers",
  ])
    .argument("<modules...>", "modules, or folders of generated nodes, that export them and their services")
    .addOption(new Option("--port <n>", "the port to listen on; 0 takes a free one (default: 3400)"))
    .addOption(new Option("--host <address>", "the address to listen on (default: 127.0.0.1); any other one needs a secret"))
    .addOption(
      new Option(
        "--secret-file <file>",
        "what callers must sign with; given again, the old one beside the new (default: $ONEX_NODE_SECRET)",
      ).argParser(collect),
    )
    .addOption(new Option("--max-calls <n>", "effects under way at once; more are refused until one ends (default: 256)"))
    .addOption(new Option("--grace <duration>", "how long work under way may take when it is stopped (default: 10s)"))
    .addOption(new Option("--record <file>", "keep answers there, so that a host that was killed repeats nothing it has answered"))
    .action(async (modules, options) => done(await (await import("../commands/nodes.ts")).nodes(modules, options)));
}
