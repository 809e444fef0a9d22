/**
 * A node host behind a server: the effect `work`, whose outputs nobody can guess, the compute `half`, and the stream `rows`.
 * Until somebody asks for /open, every call of `work` waits with `held`, and `rows` gives nothing from item `leash` on.
 * With `slack` so many calls of `work` are answered, and as many more each time that somebody asks for /more.
 */
import { randomInt } from "node:crypto";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { createNodeHost } from "../../../dist/index.js";
import { given, ledger, log, pause, say } from "./kit.mjs";
import { half, rowsOf, workOf } from "./remote-nodes.mjs";

const { effects, port, held, leash = Number.POSITIVE_INFINITY, slack = Number.POSITIVE_INFINITY } = given;
const write = ledger(effects);
let open = () => {};
const opened = new Promise((resolve) => {
  open = () => resolve(undefined);
});
let calls = 0;
let allowed = slack;
/** @type {(() => void)[]} */
const behind = [];
function more() {
  allowed += slack;
  for (const go of behind.splice(0)) go();
}

const work = workOf(async (input, { runId, idempotencyKey, actionId, leaseId, epoch, attempt }) => {
  const nonce = randomInt(2 ** 40);
  write({ run: runId, step: input.step, key: idempotencyKey, actionId, leaseId, epoch, attempt, input, nonce });
  const call = ++calls;
  say({ called: call });
  while (call > allowed) await new Promise((resolve) => behind.push(() => resolve(undefined)));
  if (held) await opened;
  else await pause(randomInt(2, 7));
  return { nonce };
});
const rows = rowsOf(async function* (count, { taken, actionId, attempt, epoch }) {
  write({ opened: taken, actionId, attempt, epoch });
  for (let n = taken; n < count; n++) {
    say({ at: n });
    if (n >= leash) await opened;
    yield { n };
  }
});
const host = createNodeHost({ nodes: [work, half, rows], log });

const server = createServer(async (incoming, outgoing) => {
  if (incoming.url === "/open" || incoming.url === "/more") {
    if (incoming.url === "/open") open();
    else more();
    outgoing.end();
    return;
  }
  const { method, headers, url } = incoming;
  const request = new Request(`http://host${url}`, {
    method,
    headers: /** @type {Record<string, string>} */ (headers),
    ...(method === "GET" ? {} : { body: Readable.toWeb(incoming), duplex: "half" }),
  });
  const response = await host.fetch(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body)
    Readable.fromWeb(response.body)
      .on("error", () => {})
      .pipe(outgoing);
  else outgoing.end();
});
server.listen(port ?? 0, "127.0.0.1", () => say({ port: /** @type {import("node:net").AddressInfo} */ (server.address()).port }));
