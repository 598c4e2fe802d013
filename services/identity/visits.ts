import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import type { KnownCertificate } from "#lib/pki/admission.ts";
import { type CertificateFacts, certificatePem } from "#lib/pki/certificates.ts";
import type { DeviceIdentity } from "#lib/pki/device-id.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { showNewDevice, touchDevices } from "#services/fleet/service.ts";
import type { IdentityCtx } from "./ctx.ts";
import { applyDecision, lockCertificate, lockOf } from "./decisions.ts";
import { admitRenewal } from "./renewals.ts";
import * as store from "./store.ts";
import * as refusals from "./store-refusals.ts";

/** The subject's organizational unit that marks a certificate made for a simulated device. For people only: it admits nobody. */
export const SIMULATED_UNIT = "gatehouse-simulated";

/** What the database knows about a leaf: the changing half of the admission question. */
export type AdmissionFacts = {
  readonly known: KnownCertificate | null;
  readonly allowlisted: boolean;
  readonly otherAllowedCount: number;
  readonly newcomersLastHour: number;
};

/** A leaf, and what its authority's rules make of it. */
export type Claim = {
  readonly leaf: Pick<CertificateFacts, "fingerprint" | "tbsSha256">;
  readonly device: DeviceIdentity | null;
  readonly authorityId: string;
};

export async function readAdmissionFacts(
  db: DbOrTx,
  namespaceId: string,
  { leaf, device, authorityId }: Claim,
  now: Date,
): Promise<AdmissionFacts> {
  const row = await store.findByIdentity(db, namespaceId, leaf);
  // An allowlisted fingerprint that has not been seen is no decision about a certificate yet: its common name is unknown.
  const unseen = row !== null && row.state === "allowed" && row.certificate === null;
  if (row !== null && !unseen && row.state !== "pending") return { ...NEWCOMER, known: knownOf(row) };
  const since = new Date(now.getTime() - HOUR_MS);
  const { fingerprint } = leaf;
  const [other, newcomersLastHour] = await Promise.all([
    device === null ? null : store.findOtherAllowed(db, namespaceId, { deviceUuid: device.uuid, fingerprint }),
    row === null ? store.countNewcomers(db, namespaceId, { authorityId, since }) : 0,
  ]);
  return {
    known: row === null || unseen ? null : knownOf(row),
    allowlisted: unseen,
    otherAllowedCount: other === null ? 0 : 1,
    newcomersLastHour,
  };
}

const HOUR_MS = 3_600_000;
const NEWCOMER = { allowlisted: false, otherAllowedCount: 0, newcomersLastHour: 0 } as const;

function knownOf(row: store.CertificateRow): KnownCertificate {
  const { fingerprint, state, graceUntil } = row;
  return { fingerprint, state, graceUntil, isUnusedRenewal: row.renewalOf !== null && row.admittedAt === null };
}

export type Visit = {
  readonly leaf: CertificateFacts;
  readonly device: DeviceIdentity | null;
  readonly authorityId: string;
  readonly address: string;
};

/** A genuine newcomer that waits for a person: leaves a row, or the facts in the row that allowlisted it. Repeating it is fine. */
export async function recordPending(ctx: Ctx, visit: Visit): Promise<void> {
  const { fingerprint } = visit.leaf;
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `certificate:${ctx.namespaceId}:${fingerprint}`);
    const row = await store.findCertificate(tx, ctx.namespaceId, fingerprint);
    if (row === null) await insertVisited(tx, ctx, visit);
    else if (row.certificate === null && row.state === "allowed") {
      // Allowlisted, but another certificate of this device is allowed: it waits like any second one.
      await store.changeCertificate(tx, ctx.namespaceId, {
        fingerprint,
        change: { ...visited(ctx, visit), state: "pending" },
      });
    } else return;
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: fingerprint });
  });
}

/**
 * Lets an allowlisted certificate, or one whose authority admits all, in at its first visit: makes the registry's device, then
 * records it as allowed. Ask for the decision again afterwards: another certificate of the device may have been faster.
 *
 * @throws AppError `backend.*` | `device.conflict`
 */
export async function admitNewcomer(ctx: IdentityCtx, visit: Visit): Promise<void> {
  const { fingerprint } = visit.leaf;
  const { device } = visit;
  if (device === null) return;
  const deviceUuid = device.uuid;
  const row = await store.findCertificate(ctx.db, ctx.namespaceId, fingerprint);
  if (row !== null && row.renewalOf !== null) return admitRenewal(ctx, row);
  const entry = {
    action: "certificate.approve" as const,
    target: { kind: "certificate" as const, id: fingerprint, name: row?.name ?? device.id },
    after: { state: "allowed", deviceUuid, by: row === null ? "policy of the authority" : "allowlist" },
  };
  await auditBackendChange(ctx, { actor: SYSTEM, entry }, async (finish) => {
    await createNamed(ctx, visit, { ...device, name: row?.name ?? device.id });
    await ctx.db.$transaction(async (tx) => {
      await lockInTransaction(tx, `certificate:${ctx.namespaceId}:${fingerprint}`);
      await lockInTransaction(tx, lockOf(ctx, deviceUuid));
      if ((await store.findCertificate(tx, ctx.namespaceId, fingerprint)) === null) await insertVisited(tx, ctx, visit);
      const locked = await lockCertificate(tx, ctx, fingerprint);
      const conflict = await store.findOtherAllowed(tx, ctx.namespaceId, { deviceUuid, fingerprint });
      const mayBeAllowed = locked.state === "pending" || (locked.state === "allowed" && locked.certificate === null);
      if (!mayBeAllowed) return finish(tx, { state: locked.state });
      const state = conflict === null ? "allowed" : "pending";
      await showNewDevice(tx, ctx, { uuid: deviceUuid, deviceId: device.id, name: row?.name ?? device.id });
      const decided = { decidedAt: locked.decidedAt ?? ctx.clock(), decidedBy: locked.decidedBy ?? SYSTEM.name };
      await applyDecision(tx, ctx, SYSTEM, {
        row: locked,
        change: { ...visited(ctx, visit), ...decided, state },
        verb: state === "allowed" ? "allowed" : "held back",
      });
      await finish(tx, { state });
    });
  });
}

/** A name from the allowlist that is taken meanwhile must not keep the device out: then its UUID is its name. */
async function createNamed(ctx: IdentityCtx, visit: Visit, device: DeviceIdentity & { name: string }): Promise<void> {
  const { uuid, id, name } = device;
  const make = (deviceName: string) =>
    ctx.backends.registry.createDevice(ctx, {
      uuid,
      deviceId: id,
      deviceName,
      credentials: certificatePem(visit.leaf),
    });
  try {
    await make(name);
  } catch (error) {
    if (!isAppError(error, "device.conflict") || name === uuid) throw error;
    await make(uuid);
  }
}

/** Remembers contacts, any number in two statements; `deviceUuid` is null where the device was not let in. */
export async function recordVisits(
  ctx: Ctx,
  visits: readonly { fingerprint: string; deviceUuid: string | null; at: Date; address: string }[],
): Promise<void> {
  if (visits.length === 0) return;
  await store.touchCertificates(ctx.db, ctx.namespaceId, visits);
  const seen = visits.flatMap(({ deviceUuid, at, address }) =>
    deviceUuid === null ? [] : [{ uuid: deviceUuid, at, address }],
  );
  await touchDevices(ctx.db, ctx.namespaceId, seen);
}

export type RefusedVisit = refusals.RefusalBatchRow;

/** Counts refused attempts, any number in one statement, and forgets the oldest beyond the cap. */
export async function recordRefusals(ctx: Ctx, batch: readonly RefusedVisit[]): Promise<void> {
  if (batch.length === 0) return;
  await ctx.db.$transaction(async (tx) => {
    await refusals.addRefusals(tx, ctx.namespaceId, batch);
    await refusals.capRefusals(tx, ctx.namespaceId);
    await publishEvent(tx, ctx.namespaceId, { topic: "refusal", subjectId: "" });
  });
}

async function insertVisited(tx: DbOrTx, ctx: Ctx, visit: Visit): Promise<void> {
  await store.insertCertificate(tx, ctx.namespaceId, {
    facts: visit.leaf,
    fingerprint: visit.leaf.fingerprint,
    deviceUuid: visit.device?.uuid ?? null,
    authorityId: visit.authorityId,
    state: "pending",
    name: null,
    hardwareId: null,
    note: null,
    issuedHere: false,
    simulated: isSimulated(visit.leaf),
    createdAt: ctx.clock(),
    seen: { at: ctx.clock(), address: visit.address },
    decided: null,
  });
}

function visited(ctx: Ctx, visit: Visit) {
  return {
    facts: visit.leaf,
    deviceUuid: visit.device?.uuid ?? null,
    authorityId: visit.authorityId,
    seen: { at: ctx.clock(), address: visit.address },
  };
}

function isSimulated(leaf: CertificateFacts): boolean {
  return leaf.subjectDn.split(/,\s*/).includes(`OU=${SIMULATED_UNIT}`);
}
