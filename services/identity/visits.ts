import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { type DbOrTx, lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import type { KnownCertificate } from "#lib/pki/admission.ts";
import { allowlistKeysOf } from "#lib/pki/allowlist-value.ts";
import { type CertificateFacts, certificatePem } from "#lib/pki/certificates.ts";
import type { DeviceIdentity } from "#lib/pki/device-id.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { assertAuthorityIs, findNewcomerRate, listKnownAuthorities } from "#services/authorities/service.ts";
import { showNewDevice, touchDevices } from "#services/fleet/service.ts";
import { createNamed, preassign, preassignedBy } from "./arrivals.ts";
import type { IdentityCtx } from "./ctx.ts";
import { applyDecision, lockCertificate, lockOf } from "./decisions.ts";
import { countLastHour, hadItsNewcomers, type NewcomerRate, takeNewcomer } from "./newcomers.ts";
import { admitRenewal } from "./renewals.ts";
import * as store from "./store.ts";
import * as allowlist from "./store-allowlist.ts";
import { recordAddresses, touchCertificates } from "./store-visits.ts";

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
  readonly leaf: Pick<CertificateFacts, "fingerprint" | "tbsSha256" | "spkiSha256" | "serialHex" | "subjectDn">;
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
  if (row !== null && row.state !== "pending") return { ...NEWCOMER, known: knownOf(row) };
  const { fingerprint } = leaf;
  const [other, newcomersLastHour, entry] = await Promise.all([
    device === null ? null : store.findOtherAllowed(db, namespaceId, { deviceUuid: device.uuid, fingerprint }),
    row === null ? countLastHour(db, namespaceId, { authorityId, now }) : 0,
    allowlist.findUsableEntry(db, namespaceId, { keys: allowlistKeysOf(leaf, authorityId), now }),
  ]);
  return {
    known: row === null ? null : knownOf(row),
    allowlisted: entry !== null,
    otherAllowedCount: other === null ? 0 : 1,
    newcomersLastHour,
  };
}

/**
 * The same for any number of certificates in one query, by fingerprint. It finds what something was decided about; for newcomers and
 * those that wait, more counts than their record: ask `readAdmissionFacts`.
 */
export async function readDecidedFacts(
  db: DbOrTx,
  namespaceId: string,
  leaves: readonly Pick<CertificateFacts, "fingerprint" | "tbsSha256">[],
): Promise<Map<string, AdmissionFacts>> {
  const rows = await store.listByIdentity(db, namespaceId, leaves);
  const own = new Map(rows.map((row) => [row.fingerprint, row]));
  const encodings = new Map(rows.toReversed().map((row) => [row.tbsSha256, row]));
  return new Map(
    leaves.flatMap(({ fingerprint, tbsSha256 }) => {
      const row = own.get(fingerprint) ?? encodings.get(tbsSha256);
      if (row === undefined || row.state === "pending") return [];
      return [[fingerprint, { ...NEWCOMER, known: knownOf(row) }] as const];
    }),
  );
}

const NEWCOMER = { allowlisted: false, otherAllowedCount: 0, newcomersLastHour: 0 } as const;

function knownOf(row: store.StandingRow): KnownCertificate {
  const { fingerprint, state, graceUntil } = row;
  return { fingerprint, state, graceUntil, isUnusedRenewal: row.renewalOf !== null && row.admittedAt === null };
}

export type Visit = {
  readonly leaf: CertificateFacts;
  readonly device: DeviceIdentity | null;
  readonly authorityId: string;
  readonly address: string;
};

/** A genuine newcomer that waits for a person leaves a row, unless its authority had its newcomers meanwhile. Repeating it is fine. */
export async function recordPending(ctx: Ctx, visit: Visit): Promise<void> {
  const { fingerprint } = visit.leaf;
  const rate = await findNewcomerRate(ctx, visit.authorityId);
  const keys = allowlistKeysOf(visit.leaf, visit.authorityId);
  try {
    await ctx.db.$transaction(async (tx) => {
      await lockInTransaction(tx, `certificate:${ctx.namespaceId}:${fingerprint}`);
      if ((await store.findCertificate(tx, ctx.namespaceId, fingerprint)) !== null) return;
      // Who is expected is no rush of strangers.
      const isExpected = async () =>
        (await allowlist.findUsableEntry(tx, ctx.namespaceId, { keys, now: ctx.clock() })) !== null;
      if (rate.newcomersPerHour !== null && !(await isExpected())) await takeNewcomer(tx, ctx, rate);
      await insertVisited(tx, ctx, visit);
      await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: fingerprint });
    });
  } catch (error) {
    if (!isAppError(error, "authority.too_many_newcomers")) throw error;
  }
}

/**
 * Lets an allowlisted certificate, or one whose authority admits all, in at its first visit: makes the registry's device, then
 * records it as allowed. Ask for the decision again afterwards: another certificate of the device, another one that the same entry
 * of the allowlist names, or as many newcomers as its authority may have in an hour, may have been faster.
 *
 * @throws AppError `backend.*` | `device.conflict`
 */
export async function admitNewcomer(ctx: IdentityCtx, visit: Visit): Promise<void> {
  const { fingerprint } = visit.leaf;
  const { device } = visit;
  if (device === null) return;
  const row = await store.findCertificate(ctx.db, ctx.namespaceId, fingerprint);
  if (row !== null && row.renewalOf !== null) return admitRenewal(ctx, row);
  const keys = allowlistKeysOf(visit.leaf, visit.authorityId);
  const listed = await allowlist.findUsableEntry(ctx.db, ctx.namespaceId, { keys, now: ctx.clock() });
  // The entry that let it in may have been taken away since: nobody comes in on the strength of a decision that was.
  if (listed === null && !(await admitsAll(ctx, visit.authorityId))) return recordPending(ctx, visit);
  const rate = await findNewcomerRate(ctx, visit.authorityId);
  const isExpected = listed !== null || row !== null;
  if (!isExpected && (await hadItsNewcomers(ctx, rate))) return;
  const name = listed?.name ?? row?.name ?? device.id;
  const entry = {
    action: "certificate.approve" as const,
    target: { kind: "certificate" as const, id: fingerprint, name },
    after: {
      state: "allowed",
      deviceUuid: device.uuid,
      by: listed === null ? "policy of the authority" : "allowlist",
      ...(listed === null ? {} : { allowlistEntry: listed.id, kind: listed.kind }),
    },
  };
  try {
    await auditBackendChange(ctx, { actor: SYSTEM, entry }, async (finish) => {
      await createNamed(ctx, { ...device, name, certificatePem: certificatePem(visit.leaf) });
      const failed = await preassign(ctx, device, preassignedBy(listed));
      await ctx.db.$transaction(async (tx) => {
        const state = await allowVisited(tx, ctx, { visit, device: { ...device, name }, listed, rate });
        await finish(tx, { state, ...(failed.length === 0 ? {} : { failure: failed }) });
      });
    });
  } catch (error) {
    // Others came, or the authority was closed, in the same moment. The registry may have had the device before, so there it stays.
    const isLate = isAppError(error, "authority.too_many_newcomers") || isAppError(error, "authority.wrong_state");
    if (!isLate) throw error;
  }
}

type Arrival = {
  visit: Visit;
  device: DeviceIdentity & { name: string };
  listed: allowlist.AllowlistRow | null;
  rate: NewcomerRate;
};

/** @throws AppError `authority.too_many_newcomers` | `authority.wrong_state` */
async function allowVisited(tx: Tx, ctx: Ctx, { visit, device, listed, rate }: Arrival): Promise<string> {
  const { fingerprint } = visit.leaf;
  const at = ctx.clock();
  await lockInTransaction(tx, `certificate:${ctx.namespaceId}:${fingerprint}`);
  await lockInTransaction(tx, lockOf(ctx, device.uuid));
  if ((await store.findCertificate(tx, ctx.namespaceId, fingerprint)) === null) {
    if (listed === null) await takeNewcomer(tx, ctx, rate);
    await insertVisited(tx, ctx, visit);
  }
  const locked = await lockCertificate(tx, ctx, fingerprint);
  if (locked.state !== "pending") return locked.state;
  await assertAuthorityIs(tx, ctx, { id: visit.authorityId, states: ["open"] });
  const conflict = await store.findOtherAllowed(tx, ctx.namespaceId, { deviceUuid: device.uuid, fingerprint });
  const use = listed === null ? null : { id: listed.id, fingerprint, at };
  const mayBeAllowed = conflict === null && (use === null || (await allowlist.takeEntry(tx, ctx.namespaceId, use)));
  const state = mayBeAllowed ? "allowed" : "pending";
  await showNewDevice(tx, ctx, { uuid: device.uuid, deviceId: device.id, name: device.name });
  await applyDecision(tx, ctx, SYSTEM, {
    row: locked,
    change: {
      ...visited(ctx, visit),
      state,
      decidedAt: locked.decidedAt ?? at,
      decidedBy: locked.decidedBy ?? listed?.createdBy ?? SYSTEM.name,
      ...(listed === null ? {} : { name: device.name, hardwareId: listed.hardwareId, note: listed.note }),
    },
    verb: state === "allowed" ? "allowed" : "held back",
  });
  return state;
}

async function admitsAll(ctx: Ctx, authorityId: string): Promise<boolean> {
  const authority = (await listKnownAuthorities(ctx)).find(({ id }) => id === authorityId);
  return authority?.state === "open" && authority.policy === "allow_all";
}

/** Remembers contacts, any number in three statements; `deviceUuid` is null where the device was not let in. */
export async function recordVisits(
  ctx: Ctx,
  visits: readonly { fingerprint: string; deviceUuid: string | null; at: Date; address: string }[],
): Promise<void> {
  if (visits.length === 0) return;
  await touchCertificates(ctx.db, ctx.namespaceId, visits);
  await recordAddresses(ctx.db, ctx.namespaceId, visits);
  const seen = visits.flatMap(({ deviceUuid, at, address }) =>
    deviceUuid === null ? [] : [{ uuid: deviceUuid, at, address }],
  );
  await touchDevices(ctx.db, ctx.namespaceId, seen);
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
