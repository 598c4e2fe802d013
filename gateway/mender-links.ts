import type { IncomingMessage } from "node:http";
import { mapMenderPath } from "./mender-path.ts";

const NEXT = /^\/api\/devices\/v[0-9a-z]+\/deployments\/device\/deployments\/next(?:\?|$)/;
const HOST = /^(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;
const JSON_STRING = /"(?:[^"\\]|\\.)*"/g;

/** A device's question for its next deployment, whose answer may hold a link into the server. */
export function asksForDeployment(req: IncomingMessage): boolean {
  return NEXT.test(req.url ?? "") && HOST.test(req.headers.host ?? "");
}

/**
 * Leads the link of a deployment through this door when it goes to the server's own device API, as those of configuration deployments
 * do: their signature does not cover the host. A link to anywhere else, as to an object storage, is left as it is, and so is every other byte.
 *
 * @see docs/contracts/mender.md sections 3 and 6 (artifact host)
 */
export function throughDoor(body: Buffer, it: { serverHost: string; doorHost: string }): Buffer {
  const text = body.toString("utf8");
  const given = linkOf(text);
  const link = given === null ? null : URL.parse(given);
  if (given === null || link === null || link.host !== it.serverHost) return body;
  if (mapMenderPath("GET", `${link.pathname}${link.search}`) !== "device") return body;
  const own = JSON.stringify(`https://${it.doorHost}${link.pathname}${link.search}`);
  return Buffer.from(text.replace(JSON_STRING, (literal) => (JSON.parse(literal) === given ? own : literal)));
}

function linkOf(text: string): string | null {
  try {
    const uri: unknown = JSON.parse(text)?.artifact?.source?.uri;
    return typeof uri === "string" ? uri : null;
  } catch {
    return null; // no deployment: the device's to find wrong
  }
}
