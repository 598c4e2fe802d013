import { type LookupAddress, lookup } from "node:dns";
import type { IncomingMessage } from "node:http";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { AppError } from "#lib/errors/app-error.ts";

export type PublicFetch = {
  /** Ranges that may be reached although they are not public. */
  readonly allow: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** For all of it, the body included. */
  readonly timeoutMs: number;
  readonly maxRedirects: number;
};

/**
 * GETs an address that somebody else chose. This server can reach what that person can't: itself, its neighbours, a cloud's
 * metadata service. So every address that the name stands for must be a public one, and it is the checked address that is
 * connected to; redirects are checked like the first address, and lose the headers when they lead to another origin.
 *
 * @returns the reply with status 200, its body unread; the caller bounds how much it takes and destroys it when it stops early
 * @throws AppError `ota.invalid_entity` (an address that is not to be fetched) | `ota.remote_service_error` (anything else)
 */
export async function fetchPublic(uri: string, options: PublicFetch): Promise<IncomingMessage> {
  const allowed = toBlockList(options.allow);
  const signal = AbortSignal.timeout(options.timeoutMs);
  let url = parseTarget(uri);
  let headers = options.headers ?? {};
  for (let left = options.maxRedirects; ; left -= 1) {
    const reply = await get(url, { headers, allowed, signal });
    const status = reply.statusCode ?? 0;
    if (status === 200) return reply;
    reply.destroy();
    const { location } = reply.headers;
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined || left === 0) {
      throw new AppError("ota.remote_service_error", `${url.host} answered with the status ${status}.`);
    }
    const next = parseTarget(location, url);
    if (next.origin !== url.origin) headers = {};
    url = next;
  }
}

/** Whether an address belongs to the public internet. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !NOT_PUBLIC.check(address, "ipv4");
  // Only 2000::/3 is given out for the public internet; mapped and translated IPv4 addresses lie outside.
  return isIP(address) === 6 && GLOBAL_UNICAST.check(address, "ipv6") && !NOT_PUBLIC.check(address, "ipv6");
}

/** @see IANA's special-purpose address registries (RFC 6890) */
const NOT_PUBLIC = toBlockList([
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/4", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"],
]);
const GLOBAL_UNICAST = toBlockList(["2000::/3"]);

function toBlockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    list.addSubnet(address, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
  }
  return list;
}

function parseTarget(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (url === null || !["http:", "https:"].includes(url.protocol))
    throw refused("Only http and https addresses are fetched.");
  if (url.username !== "" || url.password !== "") throw refused("An address to fetch must not hold a password.");
  return url;
}

type Attempt = { headers: Readonly<Record<string, string>>; allowed: BlockList; signal: AbortSignal };

function get(url: URL, { headers, allowed, signal }: Attempt): Promise<IncomingMessage> {
  const isAllowed = (address: string) =>
    isPublicAddress(address) || allowed.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  const literal = url.hostname.replace(/^\[|\]$/g, "");
  // Node looks up names only.
  if (isIP(literal) !== 0 && !isAllowed(literal)) throw notPublic(url.host);
  return new Promise((resolve, reject) => {
    const request = url.protocol === "https:" ? requestHttps : requestHttp;
    const req = request(url, { headers, signal, agent: false, lookup: checkedLookup(isAllowed) }, resolve);
    req.on("error", (cause) => {
      if (cause instanceof AppError) reject(cause);
      else reject(new AppError("ota.remote_service_error", `${url.host} could not be fetched from.`, { cause }));
    });
    req.end();
  });
}

function checkedLookup(isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error !== null) return callback(error, "");
      const [first] = found;
      if (first === undefined || !found.every(({ address }) => isAllowed(address)))
        return callback(notPublic(hostname), "");
      return options.all === true ? callback(null, found) : callback(null, first.address, first.family);
    });
  };
}

function notPublic(host: string): AppError {
  return refused(
    `${host} is not a public address. FETCH_PRIVATE lists the ranges that may be fetched from all the same.`,
  );
}

function refused(message: string): AppError {
  return new AppError("ota.invalid_entity", message);
}
