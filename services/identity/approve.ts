import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { ApproveCertificate, Certificate } from "#lib/contracts/console/certificates.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx, Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { type CertificateFacts, certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import { identifyDevice } from "#lib/pki/device-id.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { listKnownAuthorities } from "#services/authorities/service.ts";
import { showNewDevice } from "#services/fleet/service.ts";
import { preassign, preassignedBy } from "./arrivals.ts";
import { readCertificate, requireRow } from "./certificates.ts";
import type { IdentityCtx } from "./ctx.ts";
import { applyDecision, assertNotFallen, assertState, lockCertificate, noted } from "./decisions.ts";
import { takePlace } from "./renewals.ts";
import * as store from "./store.ts";
import * as allowlist from "./store-allowlist.ts";

export type Approval = ApproveCertificate & {
  fingerprint: string;
  name?: string | undefined;
  /** The allowlist entry that says so: it is used up with it. */
  entry?: allowlist.AllowlistRow;
};

/**
 * Lets a waiting certificate in: makes the registry's device first, then allows it everywhere at once. With `replace` it takes the place
 * of the device's other certificate, which stays good for `graceDays` (its authority's when left out).
 *
 * @throws AppError `auth.forbidden` | `certificate.not_found` | `certificate.wrong_state` (also when its authority was revoked) |
 *   `certificate.conflict` (another certificate of this device is allowed, and `replace` was not given) | `device.conflict` | `backend.*`
 */
export async function approveCertificate(ctx: IdentityCtx, actor: Actor, input: Approval): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  const row = await requireRow(ctx, input.fingerprint);
  const { deviceUuid, leaf } = await assertApprovable(ctx, ctx.db, { row, replace: input.replace ?? false });
  const deviceId = await deviceIdOf(ctx, row, leaf);
  const device = { uuid: deviceUuid, id: deviceId, name: input.name ?? row.name ?? deviceId };
  const entry = {
    action: "certificate.approve" as const,
    target: { kind: "certificate" as const, id: row.fingerprint, name: device.name },
    before: { state: row.state },
    after: {
      state: "allowed",
      deviceUuid,
      ...(input.entry === undefined ? {} : { by: "allowlist", allowlistEntry: input.entry.id }),
      ...noted(input.note),
    },
  };
  await auditBackendChange(ctx, { actor, entry }, async (finish) => {
    await ctx.backends.registry.createDevice(ctx, {
      uuid: deviceUuid,
      deviceId,
      deviceName: device.name,
      // One that registered itself is in the registry already, without its certificate.
      ...(isRegistered(row) ? {} : { credentials: certificatePem(leaf) }),
    });
    const failed = await preassign(ctx, device, preassignedBy(input.entry ?? null));
    await ctx.db.$transaction(async (tx) => {
      const replaced = await allow(tx, ctx, { actor, input, device });
      await finish(tx, {
        ...(replaced.length === 0 ? {} : { replaced }),
        ...(failed.length === 0 ? {} : { failure: failed }),
      });
    });
  });
  return readCertificate(ctx, row.fingerprint);
}

type Allowed = { actor: Actor; input: Approval; device: { uuid: string; id: string; name: string } };

/** @returns the fingerprints whose place it took */
async function allow(tx: Tx, ctx: Ctx, { actor, input, device }: Allowed): Promise<string[]> {
  const locked = await lockCertificate(tx, ctx, input.fingerprint);
  const { replaces, deviceUuid } = await assertApprovable(ctx, tx, { row: locked, replace: input.replace ?? false });
  const { fingerprint } = locked;
  await assertNotFallen(tx, ctx, locked);
  if (input.entry !== undefined) {
    const use = { id: input.entry.id, fingerprint, at: ctx.clock() };
    if (!(await allowlist.takeEntry(tx, ctx.namespaceId, use)))
      throw new AppError("certificate.conflict", "Another certificate came in with this allowlist entry.");
  }
  await showNewDevice(tx, ctx, { uuid: deviceUuid, deviceId: device.id, name: device.name });
  const { graceDays } = input;
  const replaced = replaces
    ? await takePlace(tx, ctx, { deviceUuid, fingerprint, ...(graceDays === undefined ? {} : { graceDays }) })
    : [];
  const change = { state: "allowed" as const, name: device.name, ...noted(input.note), ...hardwareOf(input) };
  await applyDecision(tx, ctx, actor, { row: locked, change, verb: "approved" });
  return replaced;
}

function hardwareOf({ entry }: Approval): { hardwareId?: string } {
  return entry?.hardwareId == null ? {} : { hardwareId: entry.hardwareId };
}

function isRegistered(row: store.CertificateRow): boolean {
  return row.issuedHere && row.name !== null;
}

/** What the registry calls the device: the id it registered with, or what its authority's rule reads from the certificate. */
async function deviceIdOf(ctx: Ctx, row: store.CertificateRow, leaf: CertificateFacts): Promise<string> {
  const uuid = row.deviceUuid ?? "";
  if (isRegistered(row)) return row.name ?? uuid;
  const authority = (await listKnownAuthorities(ctx)).find(({ id }) => id === row.authorityId);
  return (authority === undefined ? null : identifyDevice(leaf, authority.deviceId))?.id ?? uuid;
}

async function assertApprovable(
  ctx: Ctx,
  db: DbOrTx,
  { row, replace }: { row: store.CertificateRow; replace: boolean },
): Promise<{ deviceUuid: string; leaf: CertificateFacts; replaces: boolean }> {
  assertState(row, ["pending"], "approved");
  const { deviceUuid, certificate, fingerprint } = row;
  if (deviceUuid === null || certificate === null) {
    throw new AppError("certificate.wrong_state", "This certificate does not name its device.");
  }
  if (row.notAfter !== null && row.notAfter < ctx.clock()) {
    throw new AppError("certificate.wrong_state", "This certificate has expired, so approving it would let nobody in.");
  }
  const other = await store.findOtherAllowed(db, ctx.namespaceId, { deviceUuid, fingerprint });
  if (other !== null && !replace) {
    throw new AppError(
      "certificate.conflict",
      `Another certificate of this device is allowed: ${other.fingerprint}. Let this one replace it, or revoke it first.`,
      { context: { fingerprint, other: other.fingerprint } },
    );
  }
  return { deviceUuid, leaf: parseCertificate(certificate), replaces: other !== null };
}
