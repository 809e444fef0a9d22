/** Bodies of requests: JSON, of a bounded size and depth, read as they come. */
import { OnexError } from "../core/failure.ts";
import { isDeeper, type Json } from "../core/json.ts";

/** Deepest nesting of a body; a value that is recorded may be 200 deep. */
const maxDepth = 256;

/**
 * The JSON in the body of a request; undefined when it has no body.
 * Throws OnexError `MEDIA_TYPE_REFUSED`, `VALUE_TOO_LARGE`, `INPUT_NOT_JSON`.
 */
export async function bodyOf(request: Request, maxBytes: number): Promise<Json | undefined> {
  const said = Number(request.headers.get("content-length") ?? 0);
  if (said > maxBytes) throw tooLarge(maxBytes);
  if (!request.body) return undefined;
  const bytes = await read(request.body, maxBytes);
  if (bytes.length === 0) return undefined;
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "application/json" && !/^application\/[\w.-]+\+json$/.test(type))
    throw new OnexError("MEDIA_TYPE_REFUSED", `the content type is ${JSON.stringify(type)}: send application/json`);
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity")
    throw new OnexError("MEDIA_TYPE_REFUSED", `the content encoding is ${JSON.stringify(encoding)}: send the JSON as it is`);
  return parse(bytes);
}

async function read(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    // Leaving the loop early cancels the stream: what follows is not read.
    for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > maxBytes) throw tooLarge(maxBytes);
      parts.push(part);
    }
  } catch (error) {
    // Nobody may be there any more to be told; it is no fault of the server.
    throw error instanceof OnexError ? error : new OnexError("INPUT_NOT_JSON", "the body broke off before its end: send it again, whole");
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function parse(bytes: Uint8Array): Json {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new OnexError("INPUT_NOT_JSON", "the body is no UTF-8");
  }
  if (isDeeper(text, maxDepth)) throw new OnexError("INPUT_NOT_JSON", `the body is nested more than ${maxDepth} deep: flatten it`);
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    // The place alone: the words of the parser quote the body.
    const [place] = /at position \d+/.exec(String(error)) ?? [];
    const what = place !== undefined ? `: it stops being JSON ${place}` : /end of JSON/.test(String(error)) ? ": it ends too early" : "";
    throw new OnexError("INPUT_NOT_JSON", `the body is no JSON${what}`);
  }
}

function tooLarge(maxBytes: number): OnexError {
  return new OnexError("VALUE_TOO_LARGE", `the body has more than ${maxBytes} bytes: store the value elsewhere and pass a reference`);
}
