import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Certificate, Note, RevokeCertificate } from "#lib/contracts/console/certificates.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { record } from "#services/audit/service.ts";
import { readCertificate } from "./certificates.ts";
import { applyDecision, assertNotFallen, assertState, lockCertificate, lockOf, noted } from "./decisions.ts";
import * as store from "./store.ts";

/** What can still be revoked. */
export const REVOCABLE: readonly store.StoredState[] = ["pending", "allowed", "held", "superseded"];
const HOLD = "certificateHold";

/**
 * Takes a certificate's admission away, for good and at once: its live connections are cut. What it asked for and nobody used yet may be in
 * the same wrong hands, so it is revoked with it; there are a handful at most.
 *
 * @throws AppError `auth.forbidden` | `certificate.not_found` | `certificate.wrong_state`
 * @see RFC 5280 section 5.3.1 for the reasons
 */
export async function revokeCertificate(
  ctx: Ctx,
  actor: Actor,
  input: RevokeCertificate & { fingerprint: string },
): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  await ctx.db.$transaction(async (tx) => {
    const row = await lockCertificate(tx, ctx, input.fingerprint);
    assertState(row, REVOCABLE, "revoked");
    const because = { reason: input.reason ?? "unspecified", note: input.note };
    const unused = await unusedRenewals(tx, ctx, row);
    // The device is shown with what is decided last.
    const revocations = [...unused, row].map((it) => ({ row: it, ...because }));
    for (const revocation of revocations) await applyRevocation(tx, ctx, actor, revocation);
    for (const revocation of revocations) await recordRevocation(tx, ctx, actor, revocation);
  });
  return readCertificate(ctx, input.fingerprint);
}

async function unusedRenewals(tx: Tx, ctx: Ctx, { deviceUuid, fingerprint }: store.CertificateRow) {
  const rows = deviceUuid === null ? [] : await store.listOfDevices(tx, ctx.namespaceId, [deviceUuid]);
  return rows.filter((it) => it.renewalOf === fingerprint && it.admittedAt === null && UNUSED.has(it.state));
}

const UNUSED: ReadonlySet<store.StoredState> = new Set(["allowed", "held"]);

/** Revokes whatever a device could still come in with; part of its deletion. Takes the device's lock. */
export async function revokeCertificatesOfDevice(tx: Tx, ctx: Ctx, actor: Actor, deviceUuid: string): Promise<number> {
  await lockInTransaction(tx, lockOf(ctx, deviceUuid));
  const rows = await store.listOfDevices(tx, ctx.namespaceId, [deviceUuid]);
  const live = rows.filter((row) => REVOCABLE.includes(row.state));
  const revocations = live.map((row) => ({ row, reason: "cessationOfOperation", note: undefined }));
  for (const revocation of revocations) await applyRevocation(tx, ctx, actor, revocation);
  for (const revocation of revocations) await recordRevocation(tx, ctx, actor, revocation);
  return live.length;
}

/**
 * Keeps an allowed certificate out until it is released: its live connections are cut. What it asked for and nobody used yet is put on
 * hold with it.
 *
 * @throws AppError `auth.forbidden` | `certificate.not_found` | `certificate.wrong_state`
 */
export async function holdCertificate(
  ctx: Ctx,
  actor: Actor,
  input: Note & { fingerprint: string },
): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  await ctx.db.$transaction(async (tx) => {
    const row = await lockCertificate(tx, ctx, input.fingerprint);
    assertState(row, ["allowed"], "put on hold");
    const unused = (await unusedRenewals(tx, ctx, row)).filter(({ state }) => state === "allowed");
    const change = { state: "held" as const, revocationReason: HOLD, revokedAt: ctx.clock(), ...noted(input.note) };
    for (const it of [...unused, row]) await applyDecision(tx, ctx, actor, { row: it, change, verb: "put on hold" });
    const turn = { action: "certificate.hold", state: "held", note: input.note } as const;
    for (const it of [...unused, row]) await recordTurn(tx, ctx, actor, { row: it, ...turn });
  });
  return readCertificate(ctx, input.fingerprint);
}

/**
 * Lets a certificate that is on hold in again, with what was put on hold with it.
 *
 * @throws AppError `auth.forbidden` | `certificate.not_found` | `certificate.wrong_state` (also when its authority was revoked) |
 *   `certificate.conflict` (another certificate has its device's place meanwhile)
 */
export async function releaseCertificate(
  ctx: Ctx,
  actor: Actor,
  input: Note & { fingerprint: string },
): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  await ctx.db.$transaction(async (tx) => {
    const row = await lockCertificate(tx, ctx, input.fingerprint);
    assertState(row, ["held"], "released");
    await assertNotFallen(tx, ctx, row);
    await assertPlaceIsFree(tx, ctx, row);
    const since = row.revokedAt?.getTime();
    const unused = (await unusedRenewals(tx, ctx, row)).filter(
      ({ state, revokedAt }) => state === "held" && revokedAt?.getTime() === since,
    );
    const change = { state: "allowed" as const, revocationReason: null, revokedAt: null, ...noted(input.note) };
    for (const it of [...unused, row]) await applyDecision(tx, ctx, actor, { row: it, change, verb: "released" });
    const turn = { action: "certificate.release", state: "allowed", note: input.note } as const;
    for (const it of [...unused, row]) await recordTurn(tx, ctx, actor, { row: it, ...turn });
  });
  return readCertificate(ctx, input.fingerprint);
}

/** One in its grace, or a renewal that was never used, has no place and takes none. */
async function assertPlaceIsFree(tx: Tx, ctx: Ctx, row: store.CertificateRow): Promise<void> {
  const { deviceUuid, fingerprint } = row;
  const hasPlace = row.graceUntil === null && (row.renewalOf === null || row.admittedAt !== null);
  if (deviceUuid === null || !hasPlace) return;
  const other = await store.findOtherAllowed(tx, ctx.namespaceId, { deviceUuid, fingerprint });
  if (other === null) return;
  throw new AppError("certificate.conflict", `Another certificate of this device is allowed: ${other.fingerprint}.`, {
    context: { fingerprint, other: other.fingerprint },
  });
}

type Revocation = { row: store.CertificateRow; reason: string; note: string | undefined };

async function applyRevocation(tx: Tx, ctx: Ctx, actor: Actor, { row, reason, note }: Revocation): Promise<void> {
  // One that was on hold is on a list of revoked ones since then.
  const revokedAt = row.state === "held" ? (row.revokedAt ?? ctx.clock()) : ctx.clock();
  const change = { state: "revoked" as const, revocationReason: reason, revokedAt, ...noted(note) };
  await applyDecision(tx, ctx, actor, { row, change, verb: "revoked" });
}

async function recordRevocation(tx: Tx, ctx: Ctx, actor: Actor, { row, reason, note }: Revocation): Promise<void> {
  await record(tx, ctx, actor, {
    action: "certificate.revoke",
    target: { kind: "certificate", id: row.fingerprint, name: row.name ?? row.deviceUuid },
    before: { state: row.state },
    after: { state: "revoked", reason, ...noted(note) },
  });
}

type Turn = {
  row: store.CertificateRow;
  action: "certificate.hold" | "certificate.release";
  state: "held" | "allowed";
  note: string | undefined;
};

async function recordTurn(tx: Tx, ctx: Ctx, actor: Actor, { row, action, state, note }: Turn): Promise<void> {
  await record(tx, ctx, actor, {
    action,
    target: { kind: "certificate", id: row.fingerprint, name: row.name ?? row.deviceUuid },
    before: { state: row.state },
    after: { state, ...noted(note) },
  });
}
