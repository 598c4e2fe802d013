import type { OutgoingHttpHeaders } from "node:http";
import { nowhere } from "./replies.ts";

export type OwnAnswer = { readonly status: number; readonly headers: OutgoingHttpHeaders; readonly body: string };

/**
 * What a device hears that no back end says, for a proxy to fetch from the decision port: where a path leads nowhere, and the list of
 * campaigns. Holds nothing of the device, so it needs no proof of who asks.
 *
 * @returns null for any other path
 */
export function ownAnswer(path: string): OwnAnswer | null {
  if (path === "/answers/campaigns") return json(200, '{"campaigns":[]}', {});
  const [, empty, digits] = /^\/answers\/(empty\/)?(400|404|405)$/.exec(path) ?? [];
  const status = STATUSES.find((each) => String(each) === digits);
  if (status === undefined) return null;
  const { code, sentence } = nowhere(status, []);
  const headers = { "x-gatehouse-code": code };
  // A download's client writes the body into its file.
  if (empty !== undefined) return { status, headers: { ...headers, "content-length": 0 }, body: "" };
  return json(status, JSON.stringify({ code, description: sentence }), headers);
}

const STATUSES = [400, 404, 405] as const;

function json(status: number, body: string, headers: OutgoingHttpHeaders): OwnAnswer {
  return { status, body, headers: { ...headers, "content-type": "application/json", "content-length": body.length } };
}
