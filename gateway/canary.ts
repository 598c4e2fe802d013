import type { IncomingMessage, ServerResponse } from "node:http";
import { CANARY_CA_NAME } from "#services/authorities/service.ts";
import type { Admission } from "./admission.ts";
import type { Peer } from "./peer.ts";
import { sendReply, UNAVAILABLE } from "./replies.ts";

/**
 * Answers the worker that measures how soon a revocation is in force: 204 as long as its certificate counts. It leaves no trace.
 *
 * @returns false for everybody else: then nothing has been answered, and for them there is nothing at this address
 */
export async function answerCanary(
  admission: Admission,
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  peer: Peer,
): Promise<boolean> {
  const { leaf } = peer;
  if (req.method !== "GET" || req.url !== "/canary" || leaf === null || leaf === "malformed") return false;
  if (!leaf.issuerDn.startsWith(`CN=${CANARY_CA_NAME}`)) return false;
  const decision = await admission.book.judge(peer);
  if (decision === null) sendReply(res, UNAVAILABLE, false);
  else if (!decision.admitted) {
    const { status, code, sentence } = decision;
    sendReply(res, { status, code, sentence, close: true }, false);
  } else if (decision.canary) res.writeHead(204).end();
  else return false;
  return true;
}
