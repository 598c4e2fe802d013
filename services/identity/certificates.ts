import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Certificate, ListCertificates, ListRefusals, Refusal } from "#lib/contracts/console/certificates.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { listAuthorityNames } from "#services/authorities/service.ts";
import { findDeviceNames } from "#services/fleet/service.ts";
import * as store from "./store.ts";
import * as refusals from "./store-refusals.ts";

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listCertificates(ctx: Ctx, actor: Actor, query: ListCertificates): Promise<Page<Certificate>> {
  requirePermission(actor, "certificate.read");
  const found = await store.listCertificates(ctx.db, ctx.namespaceId, { ...query, now: ctx.clock() });
  return {
    data: await toDtos(ctx, found.rows),
    nextCursor: found.nextCursor,
    total: found.total,
    totalIsExact: true,
  };
}

/** @throws AppError `auth.forbidden` | `certificate.not_found` */
export async function getCertificate(ctx: Ctx, actor: Actor, fingerprint: string): Promise<Certificate> {
  requirePermission(actor, "certificate.read");
  return readCertificate(ctx, fingerprint);
}

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listRefusals(ctx: Ctx, actor: Actor, query: ListRefusals): Promise<Page<Refusal>> {
  requirePermission(actor, "refusal.read");
  return refusals.listRefusals(ctx.db, ctx.namespaceId, query);
}

/** What of trust needs a person now. @throws AppError `auth.forbidden` */
export async function countTrust(
  ctx: Ctx,
  actor: Actor,
): Promise<{ pending: number; oldestPendingAt: Date | null; refusedLastDay: number; expiringIn30Days: number }> {
  requirePermission(actor, "certificate.read");
  const now = ctx.clock();
  const [pending, refusedLastDay, expiringIn30Days] = await Promise.all([
    store.countPending(ctx.db, ctx.namespaceId),
    refusals.countRefusals(ctx.db, ctx.namespaceId, new Date(now.getTime() - DAY_MS)),
    store.countExpiring(ctx.db, ctx.namespaceId, { now, until: new Date(now.getTime() + 30 * DAY_MS) }),
  ]);
  return { pending: pending.count, oldestPendingAt: pending.oldestAt, refusedLastDay, expiringIn30Days };
}

const DAY_MS = 86_400_000;

/** The certificate as pages show it. @throws AppError `certificate.not_found` */
export async function readCertificate(ctx: Ctx, fingerprint: string): Promise<Certificate> {
  const [dto] = await toDtos(ctx, [await requireRow(ctx, fingerprint)]);
  if (dto === undefined) throw notFound();
  return dto;
}

/** @throws AppError `certificate.not_found` */
export async function requireRow(ctx: Ctx, fingerprint: string): Promise<store.CertificateRow> {
  const row = await store.findCertificate(ctx.db, ctx.namespaceId, fingerprint);
  if (row === null) throw notFound();
  return row;
}

function notFound(): AppError {
  return new AppError("certificate.not_found", "No certificate with this fingerprint is known here.");
}

async function toDtos(ctx: Ctx, rows: readonly store.CertificateRow[]): Promise<Certificate[]> {
  const uuids = rows.flatMap((row) => row.deviceUuid ?? []);
  const waiting = rows.filter((row) => row.state === "pending").flatMap((row) => row.deviceUuid ?? []);
  const [names, related, signers] = await Promise.all([
    findDeviceNames(ctx.db, ctx.namespaceId, uuids),
    store.listOfDevices(ctx.db, ctx.namespaceId, waiting),
    listAuthorityNames(ctx),
  ]);
  const now = ctx.clock();
  return rows.map((row) => {
    const authority = signers.find(({ id }) => id === row.authorityId);
    return {
      fingerprint: row.fingerprint,
      state: row.state === "allowed" && row.notAfter !== null && row.notAfter < now ? "expired" : row.state,
      deviceUuid: row.deviceUuid,
      name: (row.deviceUuid === null ? undefined : names.get(row.deviceUuid)) ?? row.name,
      subject: row.subjectDn,
      issuer: row.issuerDn,
      authority: authority === undefined ? null : { id: authority.id, name: authority.name },
      serial: row.serialHex,
      notBefore: row.notBefore?.toISOString() ?? null,
      notAfter: row.notAfter?.toISOString() ?? null,
      hardwareId: row.hardwareId,
      note: row.note,
      revocationReason: row.revocationReason,
      issuedHere: row.issuedHere,
      simulated: row.simulated,
      warnings: row.state === "pending" ? warningsFor(row, related, now) : [],
      firstSeenAt: row.firstSeenAt?.toISOString() ?? null,
      lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
      lastAddress: row.lastAddress,
      createdAt: row.createdAt.toISOString(),
      decidedAt: row.decidedAt?.toISOString() ?? null,
      decidedBy: row.decidedBy,
    };
  });
}

/** What a person should know before letting this certificate in. */
function warningsFor(
  row: store.CertificateRow,
  related: readonly store.CertificateRow[],
  now: Date,
): Certificate["warnings"] {
  const others = related.filter(
    (other) => other.deviceUuid === row.deviceUuid && other.fingerprint !== row.fingerprint,
  );
  const warnings: Certificate["warnings"] = [];
  const allowed = others.find((other) => other.state === "allowed" && other.graceUntil === null);
  if (allowed !== undefined) {
    warnings.push({
      code: "another_certificate_allowed",
      text: `Another certificate of this device is allowed (${shortened(allowed)}). Revoke it before you approve this one.`,
    });
  }
  const revoked = others.find((other) => other.state === "revoked");
  if (revoked !== undefined) {
    const reason = revoked.revocationReason === null ? "" : ` (${revoked.revocationReason})`;
    warnings.push({ code: "revoked_before", text: `A certificate of this device was revoked before${reason}.` });
  }
  if (others.some((other) => other.state === "rejected")) {
    warnings.push({ code: "rejected_before", text: "A certificate with this common name was rejected before." });
  }
  if (others.length > 0 && !others.some((other) => sharesKey(row, other))) {
    warnings.push({ code: "new_key", text: "It has a new key: no certificate of this device had it before." });
  }
  if (row.notAfter !== null && row.notAfter < now) {
    warnings.push({ code: "expired", text: "It has expired, so approving it lets nobody in." });
  }
  return warnings;
}

function shortened(row: { fingerprint: string }): string {
  return `${row.fingerprint.slice(0, 8)}…${row.fingerprint.slice(-4)}`;
}

function sharesKey(row: store.CertificateRow, other: store.CertificateRow): boolean {
  if (row.certificate === null || other.certificate === null) return false;
  return parseCertificate(row.certificate).spkiSha256 === parseCertificate(other.certificate).spkiSha256;
}
