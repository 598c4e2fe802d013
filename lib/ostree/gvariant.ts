import { AppError } from "#lib/errors/app-error.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The parts of the GVariant format that OSTree's objects use, strictly: what is not in normal form is refused, because two readers could
 * see different things in it.
 *
 * @see GVariant specification 1.0, section 2.3 (serialisation)
 */
export class Container {
  readonly bytes: Buffer;
  readonly #offsetBytes: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#offsetBytes = offsetBytesFor(bytes.length);
  }

  /**
   * Of a tuple: where its members of variable size end, except the last, and where the framing offsets begin.
   *
   * @throws AppError `ostree.malformed`
   */
  ends(count: number): { ends: number[]; table: number } {
    const table = this.bytes.length - count * this.#offsetBytes;
    if (table < 0) throw malformed("A value is cut off.");
    const ends = Array.from({ length: count }, (_, index) =>
      this.#offsetAt(this.bytes.length - (index + 1) * this.#offsetBytes),
    );
    assertOrdered(ends, table);
    return { ends, table };
  }

  /** Of an array whose elements are of variable size and need no alignment. @throws AppError `ostree.malformed` */
  elements(): Buffer[] {
    if (this.bytes.length === 0) return [];
    const table = this.#offsetAt(this.bytes.length - this.#offsetBytes);
    const count = (this.bytes.length - table) / this.#offsetBytes;
    if (!Number.isInteger(count) || count < 1) throw malformed("The framing of an array is broken.");
    const ends = Array.from({ length: count }, (_, index) => this.#offsetAt(table + index * this.#offsetBytes));
    assertOrdered(ends, table);
    return ends.map((end, index) => this.bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
  }

  #offsetAt(at: number): number {
    return at < 0 ? Number.POSITIVE_INFINITY : this.bytes.readUIntLE(at, this.#offsetBytes);
  }
}

/** A string with its ending NUL. @throws AppError `ostree.malformed` */
export function readString(bytes: Buffer): string {
  if (bytes.indexOf(0) !== bytes.length - 1) throw malformed("A string does not end where it should.");
  try {
    return UTF8.decode(bytes.subarray(0, -1));
  } catch (cause) {
    throw malformed("A string is not UTF-8.", cause);
  }
}

/** Puts framing offsets behind `body`; `ends` in the order in which they stand there. */
export function withOffsets(body: Buffer, ends: readonly number[]): Buffer {
  const width = [1, 2, 4].find((bytes) => offsetBytesFor(body.length + bytes * ends.length) === bytes) ?? 4;
  const table = Buffer.alloc(width * ends.length);
  for (const [index, end] of ends.entries()) table.writeUIntLE(end, index * width, width);
  return Buffer.concat([body, table]);
}

function offsetBytesFor(containerBytes: number): 1 | 2 | 4 {
  if (containerBytes <= 0xff) return 1;
  return containerBytes <= 0xffff ? 2 : 4;
}

function assertOrdered(ends: readonly number[], table: number): void {
  let before = 0;
  for (const end of ends) {
    if (end < before || end > table) throw malformed("The framing of a value is broken.");
    before = end;
  }
}

function malformed(message: string, cause?: unknown): AppError {
  return new AppError("ostree.malformed", message, { cause });
}
