import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** At most this many hops of `X-Forwarded-For` are read. */
const MAX_HOPS = 20;

/**
 * Who really speaks: the peer of the socket, or, while that is a proxy we trust, the address the proxy saw.
 *
 * The header is read from its right end, where the nearest proxy wrote; the first address that is no trusted proxy is the
 * caller. What stands left of it was written by the caller and means nothing.
 *
 * @param trustedProxies addresses and CIDR ranges, checked by the settings schema
 */
export function createPeerAddress(
  trustedProxies: readonly string[],
): (socketAddress: string | undefined, forwardedFor: string | undefined) => string {
  const ranges = trustedProxies.map(toRange);
  const trusted = (address: Address) =>
    ranges.some((range) => address.kind() === range[0].kind() && address.match(range));

  return (socketAddress, forwardedFor) => {
    let nearest = parse(socketAddress ?? "");
    if (nearest === null) return "unknown";
    const hops = (forwardedFor ?? "").split(",").slice(-MAX_HOPS).reverse();
    for (const hop of hops) {
      if (!trusted(nearest)) break;
      const before = parse(hop.trim());
      if (before === null) break;
      nearest = before;
    }
    return nearest.toString();
  };
}

function toRange(text: string): Range {
  const [address = "", bits] = text.split("/");
  const parsed = ipaddr.process(address);
  return [parsed, bits === undefined ? (parsed.kind() === "ipv4" ? 32 : 128) : Number(bits)];
}

/** IPv4 in IPv6's clothes is IPv4; a port behind it is dropped. */
function parse(text: string): Address | null {
  const bare = text.replace(/^\[(.+)\](?::\d+)?$/, "$1").replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : null;
}
