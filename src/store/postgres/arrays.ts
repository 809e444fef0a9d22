/**
 * Arrays in the binary form of the protocol: pg sends a Buffer as it is, while it would write an array as text with every
 * element quoted, which costs more than the insert itself.
 */

const oids = { bool: 16, bigint: 20, int: 23, text: 25 } as const;
const headBytes = 20;

export function ints(values: readonly (number | null)[]): Buffer {
  return fixed(oids.int, 4, values, (buffer, value, at) => buffer.writeInt32BE(value, at));
}

/** Whole numbers up to 2^53. */
export function bigints(values: readonly (number | null)[]): Buffer {
  return fixed(oids.bigint, 8, values, (buffer, value, at) => {
    const high = Math.floor(value / 0x1_0000_0000);
    buffer.writeInt32BE(high, at);
    buffer.writeUInt32BE(value - high * 0x1_0000_0000, at + 4);
  });
}

export function bools(values: readonly boolean[]): Buffer {
  return fixed(
    oids.bool,
    1,
    values.map((value) => (value ? 1 : 0)),
    (buffer, value, at) => buffer.writeUInt8(value, at),
  );
}

export function texts(values: readonly (string | null)[]): Buffer {
  let bytes = headBytes;
  const lengths = values.map((value) => {
    const length = value === null ? -1 : Buffer.byteLength(value);
    bytes += 4 + Math.max(0, length);
    return length;
  });
  const buffer = Buffer.allocUnsafe(bytes);
  let at = head(buffer, oids.text, values.length);
  for (const [i, length] of lengths.entries()) {
    at = buffer.writeInt32BE(length, at);
    const value = values[i];
    if (typeof value === "string") at += buffer.write(value, at);
  }
  return buffer.subarray(0, at);
}

function fixed(
  oid: number,
  size: number,
  values: readonly (number | null)[],
  write: (buffer: Buffer, value: number, at: number) => void,
): Buffer {
  const buffer = Buffer.allocUnsafe(headBytes + values.length * (4 + size));
  let at = head(buffer, oid, values.length);
  for (const value of values) {
    at = buffer.writeInt32BE(value === null ? -1 : size, at);
    if (value === null) continue;
    write(buffer, value, at);
    at += size;
  }
  return buffer.subarray(0, at);
}

/** Answers where the elements begin. An empty array has no dimension at all. */
function head(buffer: Buffer, oid: number, length: number): number {
  let at = buffer.writeInt32BE(length === 0 ? 0 : 1, 0);
  at = buffer.writeInt32BE(1, at); // there may be NULLs
  at = buffer.writeInt32BE(oid, at);
  if (length === 0) return at;
  at = buffer.writeInt32BE(length, at);
  return buffer.writeInt32BE(1, at);
}
