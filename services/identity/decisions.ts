import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type {
  AllowCertificate,
  Certificate,
  Decision,
  RevokeCertificate,
} from "#lib/contracts/console/certificates.ts";
import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { certificatePem } from "#lib/pki/certificates.ts";
import { auditBackendChange, record } from "#services/audit/service.ts";
import { announceChange } from "#services/authorities/service.ts";
import { recordActivity, setCertificate, showNewDevice } from "#services/fleet/service.ts";
import { readCertificate, requireRow } from "./certificates.ts";
import type { IdentityCtx } from "./ctx.ts";
import * as store from "./store.ts";

/**
 * Lets a waiting certificate in: makes the registry's device first, then allows it everywhere at once.
 *
 * @throws AppError `auth.forbidden` | `certificate.not_found` | `certificate.wrong_state` |
 *   `certificate.conflict` (another certificate of this device is allowed) | `device.conflict` | `backend.*`
 */
export async function approveCertificate(
  ctx: IdentityCtx,
  actor: Actor,
  input: Decision & { fingerprint: string; name?: string | undefined },
): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  const row = await requireRow(ctx, input.fingerprint);
  const { deviceUuid, certificate } = await assertApprovable(ctx, ctx.db, row);
  const name = input.name ?? row.name ?? deviceUuid;
  const entry = {
    action: "certificate.approve" as const,
    target: { kind: "certificate" as const, id: row.fingerprint, name },
    before: { state: row.state },
    after: { state: "allowed", deviceUuid, ...(input.note === undefined ? {} : { note: input.note }) },
  };
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    await ctx.backends.registry.createDevice(
      ctx,
      row.issuedHere && row.name !== null
        ? // It registered itself: the registry has it under the id it gave, which is the name of the waiting certificate.
          { uuid: deviceUuid, deviceId: row.name, deviceName: name }
        : {
            uuid: deviceUuid,
            deviceId: deviceUuid,
            deviceName: name,
            credentials: certificatePem({ der: Buffer.from(certificate) }),
          },
    );
    await ctx.db.$transaction(async (tx) => {
      const locked = await lockCertificate(tx, ctx, row.fingerprint);
      await assertApprovable(ctx, tx, locked);
      const change = { state: "allowed" as const, name, ...noted(input.note) };
      const deviceId = row.issuedHere && row.name !== null ? row.name : deviceUuid;
      await showNewDevice(tx, ctx, { uuid: deviceUuid, deviceId, name });
      await applyDecision(tx, ctx, actor, { row: locked, change, verb: "approved" });
      await finish(tx, {});
    });
  });
  return readCertificate(ctx, row.fingerprint);
}

/** Refuses a waiting certificate for good. @throws AppError `auth.forbidden` | `certificate.not_found` | `certificate.wrong_state` */
export async function rejectCertificate(
  ctx: Ctx,
  actor: Actor,
  input: Decision & { fingerprint: string },
): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  await ctx.db.$transaction(async (tx) => {
    const row = await lockCertificate(tx, ctx, input.fingerprint);
    assertState(row, ["pending"], "rejected");
    await applyDecision(tx, ctx, actor, { row, change: { state: "rejected", ...noted(input.note) }, verb: "rejected" });
    await record(tx, ctx, actor, {
      action: "certificate.reject",
      target: { kind: "certificate", id: row.fingerprint, name: row.name ?? row.deviceUuid },
      before: { state: row.state },
      after: { state: "rejected", ...noted(input.note) },
    });
  });
  return readCertificate(ctx, input.fingerprint);
}

/**
 * Takes a certificate's admission away, for good and at once: its live connections are cut.
 *
 * @throws AppError `auth.forbidden` | `certificate.not_found` | `certificate.wrong_state`
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
    const revocation = { row, reason: input.reason ?? "unspecified", note: input.note };
    await applyRevocation(tx, ctx, actor, revocation);
    await recordRevocation(tx, ctx, actor, revocation);
  });
  return readCertificate(ctx, input.fingerprint);
}

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
 * Puts a fingerprint on the allowlist before its first visit; approves it when it already waits. Repeating it is fine.
 *
 * @throws AppError `auth.forbidden` | `certificate.wrong_state` (rejected or revoked for good) | `certificate.conflict` |
 *   `device.conflict` | `backend.*`
 */
export async function allowCertificate(ctx: IdentityCtx, actor: Actor, input: AllowCertificate): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  const known = await store.findCertificate(ctx.db, ctx.namespaceId, input.fingerprint);
  if (known?.state === "pending") return approveCertificate(ctx, actor, input);
  if (known !== null && known.state !== "allowed") assertState(known, ["pending", "allowed"], "allowed");
  await ctx.db.$transaction(async (tx) => {
    const now = ctx.clock();
    const inserted = await store.insertCertificate(tx, ctx.namespaceId, {
      facts: null,
      fingerprint: input.fingerprint,
      deviceUuid: null,
      authorityId: null,
      state: "allowed",
      name: input.name ?? null,
      hardwareId: null,
      note: input.note ?? null,
      issuedHere: false,
      simulated: false,
      createdAt: now,
      seen: null,
      decided: { at: now, by: actor.name },
    });
    if (!inserted) return;
    await announceChange(tx, ctx, { fingerprint: input.fingerprint, verb: "allowlisted" });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: input.fingerprint });
    await record(tx, ctx, actor, {
      action: "certificate.allow",
      target: { kind: "certificate", id: input.fingerprint, name: input.name ?? null },
      after: { state: "allowed", ...noted(input.note) },
    });
  });
  return readCertificate(ctx, input.fingerprint);
}

/** Takes the locks of a certificate and of its device, in this order, and reads its row. @throws AppError `certificate.not_found` */
export async function lockCertificate(tx: Tx, ctx: Ctx, fingerprint: string): Promise<store.CertificateRow> {
  await lockInTransaction(tx, `certificate:${ctx.namespaceId}:${fingerprint}`);
  const read = () => store.findCertificate(tx, ctx.namespaceId, fingerprint);
  const first = await read();
  if (first?.deviceUuid) await lockInTransaction(tx, lockOf(ctx, first.deviceUuid));
  const row = first?.deviceUuid ? await read() : first;
  if (row === null) throw new AppError("certificate.not_found", "No certificate with this fingerprint is known here.");
  return row;
}

/** Guards "one allowed certificate of a common name": whoever allows one holds this. */
export function lockOf(ctx: Ctx, deviceUuid: string): string {
  return `device-certificates:${ctx.namespaceId}:${deviceUuid}`;
}

/** Stores a decision, shows it on the device, tells every gateway and the pages. The caller audits it. */
export async function applyDecision(
  tx: Tx,
  ctx: Ctx,
  actor: Actor,
  decision: { row: store.CertificateRow; change: store.CertificateChange & { state: store.StoredState }; verb: string },
): Promise<void> {
  const now = ctx.clock();
  const row = await store.changeCertificate(tx, ctx.namespaceId, {
    fingerprint: decision.row.fingerprint,
    change: { decidedAt: now, decidedBy: actor.name, ...decision.change },
  });
  if (row.deviceUuid !== null) {
    const { deviceUuid, fingerprint, notAfter, state, simulated } = row;
    const mark = simulated ? { simulated } : {};
    await setCertificate(tx, ctx.namespaceId, { deviceUuid, fingerprint, state, notAfter, ...mark });
    const text = `Its certificate was ${decision.verb} by ${actor.name}.`;
    await recordActivity(tx, ctx.namespaceId, {
      deviceUuid,
      at: now,
      kind: "certificate",
      text,
      detail: { fingerprint },
    });
  }
  await announceChange(tx, ctx, { fingerprint: row.fingerprint, verb: decision.verb });
  await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: row.fingerprint });
}

const REVOCABLE: readonly store.StoredState[] = ["pending", "allowed", "held", "superseded"];

type Revocation = { row: store.CertificateRow; reason: string; note: string | undefined };

async function applyRevocation(tx: Tx, ctx: Ctx, actor: Actor, { row, reason, note }: Revocation): Promise<void> {
  const change = { state: "revoked" as const, revocationReason: reason, ...noted(note) };
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

async function assertApprovable(
  ctx: Ctx,
  db: DbOrTx,
  row: store.CertificateRow,
): Promise<{ deviceUuid: string; certificate: Uint8Array }> {
  assertState(row, ["pending"], "approved");
  const { deviceUuid, certificate, fingerprint } = row;
  if (deviceUuid === null || certificate === null) {
    throw new AppError("certificate.wrong_state", "This certificate has not been seen yet.");
  }
  if (row.notAfter !== null && row.notAfter < ctx.clock()) {
    throw new AppError("certificate.wrong_state", "This certificate has expired, so approving it would let nobody in.");
  }
  const other = await store.findOtherAllowed(db, ctx.namespaceId, { deviceUuid, fingerprint });
  if (other !== null) {
    throw new AppError(
      "certificate.conflict",
      `Another certificate of this device is allowed: ${other.fingerprint}. Revoke it first.`,
    );
  }
  return { deviceUuid, certificate };
}

function assertState(row: store.CertificateRow, allowed: readonly store.StoredState[], verb: string): void {
  if (allowed.includes(row.state)) return;
  throw new AppError("certificate.wrong_state", `This certificate is ${row.state}, so it can't be ${verb}.`, {
    context: { fingerprint: row.fingerprint, state: row.state },
  });
}

function noted(note: string | undefined): { note?: string } {
  return note === undefined ? {} : { note };
}
