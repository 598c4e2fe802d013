const BLOCK = 512;

/**
 * A tar archive (POSIX ustar) of small text files, made in the browser: a private key that the server sent once should not go back there to be
 * packed. `mode` keeps the key readable for its owner only.
 */
export function tarOf(files: readonly { name: string; text: string; mode: number }[], at: Date): Blob {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const { name, text, mode } of files) {
    const content = new TextEncoder().encode(text);
    parts.push(header({ name, mode, length: content.length, at }), content);
    parts.push(new Uint8Array((BLOCK - (content.length % BLOCK)) % BLOCK));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}

function header(file: { name: string; mode: number; length: number; at: Date }): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const write = (offset: number, text: string) => block.set(new TextEncoder().encode(text), offset);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  write(0, file.name);
  write(100, octal(file.mode, 7));
  write(108, octal(0, 7));
  write(116, octal(0, 7));
  write(124, octal(file.length, 11));
  write(136, octal(Math.floor(file.at.getTime() / 1_000), 11));
  write(148, "        ");
  write(156, "0");
  write(257, "ustar\u000000");
  const sum = block.reduce((total, byte) => total + byte, 0);
  write(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** Offers bytes as a download; nothing leaves the browser. */
export function save(blob: Blob, filename: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
