import { createHash } from "node:crypto";
import type { Ctx } from "#lib/ctx.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { CSR_LIMITS, type ProvedRequest, readRequest } from "#lib/pki/csr.ts";
import { type IssuedCertificate, issueDeviceCertificate } from "#lib/pki/issue.ts";
import { type Issuer, openIssuer } from "#services/authorities/service.ts";
import type { EnrolledRow } from "#services/identity/service.ts";
import { because } from "./refusal-detail.ts";
import { type EnrolmentRefusal, refuse } from "./refusals.ts";

/** As much of a body as can be a request. */
export const REQUEST_MAX_BYTES: number = CSR_LIMITS.base64Characters;

/** What a device asks, and who signs for it. */
export type Order = { readonly issuer: Issuer; readonly request: ProvedRequest };

/**
 * Finds who signs and reads the request by that authority's rules.
 *
 * A device never chooses between authorities: others may trust one of them for more. An address that names one is only believed when it is
 * the one that signs anyway.
 */
export function readOrder(asked: {
  body: Uint8Array;
  label: string | null;
  issuer: Issuer | null;
}): Order | { readonly refusal: EnrolmentRefusal } {
  const { issuer, label } = asked;
  if (issuer === null) return refuse("no_issuing_authority");
  if (label !== null && label !== issuer.authorityId && label !== issuer.name) {
    return because(refuse("authority_not_offered"), `The address names ${label}; ${issuer.name} is what issues.`);
  }
  try {
    return { issuer, request: readRequest(asked.body, issuer.newcomers.keyTypes) };
  } catch (error) {
    if (isAppError(error, "csr.malformed")) return refuse("csr_malformed");
    if (isAppError(error, "csr.bad_proof")) return refuse("csr_bad_proof");
    if (isAppError(error, "csr.weak_key")) return refuse("csr_weak_key", error.message);
    throw error;
  }
}

/** The authority that issued to a device before, when it still issues; the newest open one otherwise. */
export async function openNextIssuer(ctx: Ctx, before: string | null): Promise<Issuer | null> {
  return (before === null ? null : await openIssuer(ctx, before)) ?? openIssuer(ctx);
}

/** Signs for a device: subject, usages and names are ours, of the request only the key is taken. */
export function sign(
  ctx: Ctx,
  { issuer, request }: Order,
  device: { uuid: string; days: number },
): Promise<IssuedCertificate> {
  return issueDeviceCertificate({
    ca: issuer,
    deviceUuid: device.uuid,
    publicKey: request.publicKey,
    now: ctx.clock(),
    validForDays: device.days,
  });
}

/**
 * The UUID of a device that enrols with this key: always the same, so that asking again after a lost reply or a crash makes no second
 * device.
 *
 * @see RFC 9562 section 5.8
 */
export function uuidOfKey(namespaceId: string, spkiSha256: string): string {
  const bytes = createHash("sha256").update(`${namespaceId} ${spkiSha256}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Was a certificate of this key turned away, so that the key may be in the wrong hands? */
export function isTurnedAway(row: EnrolledRow): boolean {
  return row.state === "revoked" || row.state === "rejected" || row.state === "held";
}

/** Could a device still use this certificate, or wait with it? */
export function isLive(row: EnrolledRow, now: Date): boolean {
  const isGood = row.state === "allowed" || row.state === "pending";
  return isGood && row.graceUntil === null && row.notAfter !== null && row.notAfter > now;
}
