import { describe, expect, it } from "vitest";
import { readBounded } from "./body.ts";

/** A body that never ends, and how much of it was taken. */
function endless(): { req: Request; taken: () => number } {
  let bytes = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      bytes += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  const req = new Request("http://x/", { method: "POST", body, duplex: "half" } as RequestInit); // duplex: not yet in the DOM's type
  return { req, taken: () => bytes };
}

describe("a bounded body", () => {
  it("is refused at the bound, and not read for ever after it", async () => {
    const { req, taken } = endless();
    await expect(readBounded(req, 1_000)).rejects.toMatchObject({ code: "request.too_large" });
    await expect.poll(taken).toBeGreaterThan(60_000_000);
    const atRest = taken();
    await new Promise(setImmediate);
    expect(taken()).toBe(atRest);
    expect(atRest).toBeLessThan(80_000_000);
  });

  it("is refused by its declared length without reading on", async () => {
    const { req, taken } = endless();
    const declared = new Request(req, { headers: { "content-length": "5000" } });
    await expect(readBounded(declared, 1_000)).rejects.toMatchObject({ code: "request.too_large" });
    await new Promise(setImmediate);
    expect(taken()).toBeLessThan(1_000_000); // what the stream itself keeps ready
  });

  it("that broke off is no body", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("gone")) });
    const req = new Request("http://x/", { method: "POST", body, duplex: "half" } as RequestInit); // as above
    await expect(readBounded(req, 1_000)).rejects.toMatchObject({ code: "request.invalid" });
  });
});
