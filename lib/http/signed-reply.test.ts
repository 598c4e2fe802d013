import { describe, expect, it } from "vitest";
import { acceptsGzip } from "#lib/http/signed-reply.ts";

describe("a client takes gzip", () => {
  it.each(["gzip", "GZIP", "deflate, gzip", "gzip;q=0.5", "*", "br;q=1.0, gzip; q=0.1", "x-gzip", "identity;q=0, *"])(
    "that says %s",
    (header) => expect(acceptsGzip(header)).toBe(true),
  );

  it.each([undefined, "", "identity", "deflate", "gzip;q=0", "gzip;q=0, *", "*;q=0", "gzip;q=x", "xgzip", ","])(
    "but not that says %s",
    (header) => expect(acceptsGzip(header)).toBe(false),
  );
});
