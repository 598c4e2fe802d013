import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Certificate, CertificateDetail, ListCertificates } from "#lib/contracts/console/certificates.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import { becauseOf } from "#lib/domain/revocation-reasons.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { listAuthorityNames, listWaitingDays } from "#services/authorities/service.ts";
import { findDeviceNames } from "#services/fleet/service.ts";
import { readDecisions } from "./history.ts";
import * as store from "./store.ts";
import * as refusals from "./store-refusals.ts";
import { listAddresses } from "./store-visits.ts";

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
export async function getCertificate(ctx: Ctx, actor: Actor, fingerprint: string): Promise<CertificateDetail> {
  requirePermission(actor, "certificate.read");
  const row = await requireRow(ctx, fingerprint);
  const [[dto], addresses, decisions] = await Promise.all([
    toDtos(ctx, [row]),
    listAddresses(ctx.db, ctx.namespaceId, fingerprint),
    readDecisions(ctx, row),
  ]);
  if (dto === undefined) throw notFound();
  return {
    ...dto,
    spkiSha256: row.spkiSha256,
    admittedAt: row.admittedAt?.toISOString() ?? null,
    addresses: addresses.map(({ address, firstAt, lastAt }) => ({
      address,
      firstAt: firstAt.toISOString(),
      lastAt: lastAt.toISOString(),
    })),
    decisions,
  };
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
  const [names, related, signers, patience] = await Promise.all([
    findDeviceNames(ctx.db, ctx.namespaceId, uuids),
    store.listOfDevices(ctx.db, ctx.namespaceId, waiting),
    listAuthorityNames(ctx),
    waiting.length === 0 ? [] : listWaitingDays(ctx),
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
      keyType: row.keyType,
      graceUntil: row.graceUntil?.toISOString() ?? null,
      lapsesAt: row.state === "pending" && !row.issuedHere ? lapseOf(row, patience) : null,
      wouldReplace: row.state === "pending" ? (placeHolder(row, related)?.fingerprint ?? null) : null,
    };
  });
}

function lapseOf(row: store.CertificateRow, patience: readonly { id: string; waitingDays: number }[]): string | null {
  const days = patience.find(({ id }) => id === row.authorityId)?.waitingDays;
  return days === undefined ? null : new Date(row.createdAt.getTime() + days * DAY_MS).toISOString();
}

/** Which certificate has the device's place now. */
function placeHolder(row: store.CertificateRow, related: readonly store.CertificateRow[]) {
  return related.find(
    (other) =>
      other.deviceUuid === row.deviceUuid &&
      other.fingerprint !== row.fingerprint &&
      other.state === "allowed" &&
      other.graceUntil === null &&
      (other.renewalOf === null || other.admittedAt !== null),
  );
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
  const allowed = placeHolder(row, related);
  if (allowed !== undefined) {
    warnings.push({
      code: "another_certificate_allowed",
      text: `Another certificate of this device is allowed (${shortened(allowed)}). This one takes its place only if you say so.`,
    });
  }
  const revoked = others.find((other) => other.state === "revoked");
  if (revoked !== undefined) {
    const why = becauseOf(revoked.revocationReason, null);
    warnings.push({ code: "revoked_before", text: `A certificate of this device was revoked before${why}` });
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
  return row.spkiSha256 !== null && row.spkiSha256 === other.spkiSha256;
}
