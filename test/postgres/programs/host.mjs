/** A node host that serves one of the two nodes of `ten.mjs`, and writes into the log of the world what it takes and does. */
import { randomInt } from "node:crypto";
import { serve } from "@hono/node-server";
import { createNodeHost } from "../../../dist/index.js";
import { given, ledger, log, pause, say } from "../../faults/programs/kit.mjs";
import { workOf } from "./ten.mjs";

const { node, world, port } = given;
const write = ledger(world);

const work = workOf(node, async (input, { runId, idempotencyKey, actionId, leaseId, epoch, attempt }) => {
  const call = { run: runId, step: input.step, attempt, actionId, key: idempotencyKey, epoch, leaseId };
  write({ phase: "accepted", ...call, at: Date.now(), input });
  // Long enough that some calls are under way whenever something dies.
  await pause(randomInt(5, 60));
  const output = { nonce: randomInt(2 ** 40) };
  write({ phase: "done", ...call, at: Date.now(), output });
  return output;
});
const host = createNodeHost({ nodes: [work], log });
serve({ fetch: host.fetch, port: port ?? 0, hostname: "127.0.0.1" }, (address) => say({ up: true, port: address.port }));
