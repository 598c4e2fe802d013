import type { ServerResponse } from "node:http";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { certificatesOnly } from "#lib/pki/pkcs7.ts";
import { ATTEMPT_WINDOW_SECONDS } from "./attempt-limiter.ts";
import type { DoorReply } from "./replies.ts";

/** Certificates in the form that RFC 7030 gives them. `smimeType` as for an issued one; `cacerts` has none. */
export function sendCertificates(
  res: ServerResponse,
  certificates: readonly Pick<CertificateFacts, "der">[],
  smimeType = "",
): void {
  sendBase64(res, `application/pkcs7-mime${smimeType}`, certificatesOnly(certificates));
}

/** @see RFC 7030 section 4.2.3 */
export const ISSUED = "; smime-type=certs-only";

export function sendBase64(res: ServerResponse, contentType: string, bytes: Buffer): void {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  // Line feeds alone: every decoder takes them, and `base64 -d` refuses carriage returns.
  const body = Buffer.from(`${lines.join("\n")}\n`);
  res.writeHead(200, {
    "content-type": contentType,
    "content-transfer-encoding": "base64",
    "content-length": body.length,
    "cache-control": "no-store",
  });
  res.end(body);
}

/** A reason in words, as clients of RFC 7030 show it to people. */
export function sendReason(res: ServerResponse, reply: DoorReply): void {
  const body = Buffer.from(`${reply.sentence}\n`);
  const isLater = reply.status === 429 || reply.status === 503 || reply.status === 504;
  res.writeHead(reply.status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": body.length,
    "x-gatehouse-code": reply.code,
    ...(reply.status === 401 ? { "www-authenticate": 'Basic realm="estrealm"' } : {}),
    ...(isLater ? { "retry-after": String(ATTEMPT_WINDOW_SECONDS) } : {}),
    ...(reply.allow === undefined ? {} : { allow: reply.allow.join(", ") }),
    ...(reply.close === true ? { connection: "close" } : {}),
  });
  res.end(body);
}
