import type { Actor } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { announceChanges } from "#services/authorities/service.ts";
import { recordActivity, setCertificate, showNewDevice } from "#services/fleet/service.ts";
import { lockOf } from "./decisions.ts";
import * as store from "./store.ts";
import * as enrolled from "./store-enrolled.ts";

export {
  countRenewals,
  type EnrolledRow,
  findEnrolled,
  isDeviceNamed,
  listOfKey,
} from "./store-enrolled.ts";

/** Whoever records a certificate of a device, or allows one, holds this until the transaction ends. */
export async function lockDevice(tx: Tx, ctx: Ctx, deviceUuid: string): Promise<void> {
  await lockInTransaction(tx, lockOf(ctx, deviceUuid));
}

/** A certificate that was just signed for a device's own key. */
export type Enrolled = {
  readonly certificate: CertificateFacts;
  readonly authorityId: string;
  readonly deviceUuid: string;
  readonly deviceId: string;
  readonly hardwareId: string | null;
  readonly note: string;
};

/** Records a device's first certificate, shows the device and tells gateways and pages. Call it under the device's lock; the caller audits it. */
export async function recordFirst(
  tx: Tx,
  ctx: Ctx,
  actor: Actor,
  made: Enrolled & { state: "allowed" | "pending"; enrolledWith: string },
): Promise<void> {
  const { deviceUuid, deviceId, state, certificate } = made;
  const now = ctx.clock();
  await showNewDevice(tx, ctx, { uuid: deviceUuid, deviceId, name: deviceId });
  await insert(tx, ctx, { ...made, decided: state === "allowed" ? { at: now, by: actor.name } : null });
  const { fingerprint, notAfter } = certificate;
  await setCertificate(tx, ctx.namespaceId, { deviceUuid, fingerprint, state, notAfter });
  await tell(tx, ctx, { made, text: `${made.note}.`, verb: "issued", superseded: [] });
}

/**
 * Records a certificate that a device's own one asked for. It takes the place of that one at its first use, not before. Of renewals that
 * are not used the newest `keep` stay, this one included. Call it under the device's lock; the caller audits it.
 *
 * @returns the fingerprints of those that did not stay
 */
export async function recordRenewal(
  tx: Tx,
  ctx: Ctx,
  actor: Actor,
  made: Enrolled & { renewalOf: string; simulated: boolean; keep: number },
): Promise<string[]> {
  const { deviceUuid, keep } = made;
  const at = ctx.clock();
  const superseded = await enrolled.supersedeRenewals(tx, ctx.namespaceId, { deviceUuid, keep: keep - 1, at });
  await insert(tx, ctx, { ...made, state: "allowed", decided: { at, by: actor.name } });
  await tell(tx, ctx, { made, text: "It asked for its next certificate and got it.", verb: "renewed", superseded });
  return superseded;
}

type Inserted = Enrolled & {
  state: "allowed" | "pending";
  decided: { at: Date; by: string } | null;
  renewalOf?: string;
  enrolledWith?: string;
  simulated?: boolean;
};

async function insert(tx: Tx, ctx: Ctx, made: Inserted): Promise<void> {
  await store.insertCertificate(tx, ctx.namespaceId, {
    facts: made.certificate,
    fingerprint: made.certificate.fingerprint,
    deviceUuid: made.deviceUuid,
    authorityId: made.authorityId,
    state: made.state,
    name: made.deviceId,
    hardwareId: made.hardwareId,
    note: made.note,
    issuedHere: true,
    simulated: made.simulated ?? false,
    createdAt: ctx.clock(),
    seen: null,
    decided: made.decided,
    ...(made.renewalOf === undefined ? {} : { renewalOf: made.renewalOf }),
    ...(made.enrolledWith === undefined ? {} : { enrolledWith: made.enrolledWith }),
  });
}

async function tell(
  tx: Tx,
  ctx: Ctx,
  it: { made: Enrolled; text: string; verb: string; superseded: readonly string[] },
): Promise<void> {
  const { deviceUuid, certificate } = it.made;
  const { fingerprint } = certificate;
  const { namespaceId } = ctx;
  const detail = { fingerprint };
  await recordActivity(tx, namespaceId, { deviceUuid, at: ctx.clock(), kind: "certificate", text: it.text, detail });
  const ended = it.superseded.map((old) => ({ fingerprint: old, verb: "superseded" }));
  await announceChanges(tx, ctx, [{ fingerprint, verb: it.verb }, ...ended]);
  await publishEvent(tx, namespaceId, { topic: "certificate", subjectId: fingerprint });
}
