/** Bodies of requests and responses of a node host. */
import type { Json } from "../../core/json.ts";
import { type Answer, beatHeader, encodeAnswer, jsonType, linesType } from "../wire.ts";
import type { Clock } from "../world.ts";
import { invalid, Refusal } from "./refusal.ts";
import type { Reply } from "./reply.ts";

/** While nothing else is said, a line is empty so often, ms: who hears nothing for longer knows that the way is broken. */
const beatMs = 15_000;

/** The text of a request in JSON. Throws Refusal for another type, and for more than `maxBytes`. */
export async function bodyOf(request: Request, maxBytes: number): Promise<string> {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== jsonType) throw invalid(`the content type is ${JSON.stringify(type)}: send ${jsonType}`, 415);
  const parts: Uint8Array[] = [];
  let length = 0;
  const check = (): void => {
    if (length > maxBytes)
      throw new Refusal(
        413,
        { code: "VALUE_TOO_LARGE", message: `the request has more than ${maxBytes} bytes: store the value elsewhere and pass a reference` },
        { final: true },
      );
  };
  length = Number(request.headers.get("content-length") ?? 0);
  check();
  length = 0;
  if (request.body)
    for await (const part of request.body as AsyncIterable<Uint8Array>) {
      length += part.length;
      check();
      parts.push(part);
    }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts));
  } catch {
    throw invalid("the request is no UTF-8");
  }
}

/** `body` is an answer of the protocol, or an object of its own kind (health). */
export function jsonResponse(status: number, body: Answer | Json): Response {
  const answer = isAnswer(body) ? body : undefined;
  const headers: Record<string, string> = { "content-type": jsonType };
  if (answer?.status === "failed" && answer.retryAfterMs !== undefined)
    headers["retry-after"] = String(Math.ceil(answer.retryAfterMs / 1000));
  return new Response(answer ? encodeAnswer(answer) : JSON.stringify(body), { status, headers });
}

function isAnswer(body: Answer | Json): body is Answer {
  return typeof body === "object" && body !== null && !("onex" in body);
}

/** Waits for the answer: with notes on the way for who takes lines, else with the answer alone. */
export function replyResponse(reply: Reply, accept: string, clock: Clock): Promise<Response> | Response {
  if (!accept.includes(linesType))
    return new Promise((resolve) => {
      reply.listen({ progressed: () => {}, ended: (answer) => resolve(jsonResponse(200, answer)) });
    });
  const encoder = new TextEncoder();
  let stop: (() => void) | undefined;
  let stopBeat = (): void => {};
  let note: Json | undefined;
  let say = (_answer: Answer): void => {};
  // Who reads slowly gets the latest note only.
  const flush = (): void => {
    if (note !== undefined) say({ status: "progressed", note });
    note = undefined;
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const line = (text: string) => controller.enqueue(encoder.encode(`${text}\n`));
        say = (answer) => line(encodeAnswer(answer));
        const beat = (): void => {
          stopBeat = clock.setTimer(beatMs, () => {
            if ((controller.desiredSize ?? 0) > 0) line("");
            beat();
          });
        };
        beat();
        stop = reply.listen({
          progressed(latest) {
            note = latest;
            if ((controller.desiredSize ?? 0) > 0) flush();
          },
          ended(answer) {
            stopBeat();
            flush();
            say(answer);
            controller.close();
          },
        });
      },
      pull: flush,
      cancel() {
        stopBeat();
        stop?.();
      },
    },
    { highWaterMark: 4 },
  );
  return new Response(body, { status: 200, headers: { "content-type": linesType, [beatHeader]: String(beatMs) } });
}
