import { describe, expect, it } from "vitest";
import { createPeerAddress } from "./peer-address.ts";

describe("peer address", () => {
  it("is the socket's while no proxy is trusted, whatever the header claims", () => {
    expect(createPeerAddress([])("203.0.113.9", "198.51.100.1")).toBe("203.0.113.9");
  });

  it("is what a trusted proxy saw", () => {
    expect(createPeerAddress(["10.0.0.0/8"])("10.1.2.3", "198.51.100.1")).toBe("198.51.100.1");
  });

  it("ignores what the caller wrote left of the proxy's own entry", () => {
    expect(createPeerAddress(["10.0.0.0/8"])("10.1.2.3", "127.0.0.1, 198.51.100.1, 10.9.9.9")).toBe("198.51.100.1");
  });

  it("stops at an entry that is no address", () => {
    expect(createPeerAddress(["10.0.0.0/8"])("10.1.2.3", "198.51.100.1, <script>")).toBe("10.1.2.3");
  });

  it("knows IPv4 in IPv6's clothes, ports and brackets", () => {
    const peer = createPeerAddress(["127.0.0.1", "::1"]);
    expect(peer("::ffff:127.0.0.1", "198.51.100.1:4711")).toBe("198.51.100.1");
    expect(peer("::1", "[2001:db8::7]:4711")).toBe("2001:db8::7");
  });

  it("does not compare a v4 peer with a v6 range", () => {
    expect(createPeerAddress(["::/0"])("203.0.113.9", "198.51.100.1")).toBe("203.0.113.9");
  });
});
