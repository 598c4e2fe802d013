import { randomUUID } from "node:crypto";
import type { Actor } from "#lib/authz/actor.ts";
import type { ProvisionDevice } from "#lib/contracts/ota/provisioning.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { isFrom, misfitOf } from "#lib/pki/admission.ts";
import { type CertificateFacts, parseCertificate } from "#lib/pki/certificates.ts";
import { makePkcs12 } from "#lib/pki/pkcs12.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import {
  announceChange,
  assertAuthorityIs,
  BOOTSTRAP_CA_NAME,
  type Issuer,
  loadDoorRootPem,
  noteServerCaGiven,
} from "#services/authorities/service.ts";
import { findDeviceByOemId, recordActivity, setCertificate, showNewDevice } from "#services/fleet/service.ts";
import { policyOf } from "./bootstrap.ts";
import type { IdentityCtx } from "./ctx.ts";
import { lockDevice } from "./enrolled.ts";
import { signDevice } from "./issue.ts";
import { hadItsNewcomers, type NewcomerRate, takeNewcomer } from "./newcomers.ts";
import { joinGroup, registerDevice, unregisterDevice } from "./registration.ts";
import * as store from "./store.ts";
import * as bootstrap from "./store-bootstrap.ts";

/** Why a device may not register; the codes are what the client and the list of refused attempts see. */
export type ProvisioningRefusal = {
  readonly code:
    | "not_a_provisioning_certificate"
    | "provisioning_revoked"
    | "provisioning_not_yet_valid"
    | "provisioning_expired"
    | "provisioning_exhausted"
    | "device_already_registered"
    | "address_not_allowed"
    | "too_many_newcomers"
    | NonNullable<ReturnType<typeof misfitOf>>;
  readonly sentence: string;
  readonly status: 403 | 409 | 429;
  /** For people of this install; the client never gets it. */
  readonly detail?: string;
};

/** A shared certificate that may register a device now. */
export type Bootstrap = { readonly credential: bootstrap.BootstrapRow };

/**
 * May whoever proved this leaf's key register devices? The credential is exactly the certificate that was made for it: a copy
 * with another encoding is none.
 *
 * @returns null when the leaf does not claim to be a shared certificate
 */
export async function judgeBootstrap(
  ctx: Ctx,
  leaf: CertificateFacts,
): Promise<Bootstrap | { readonly refusal: ProvisioningRefusal } | null> {
  // A stranger's certificate costs the database nothing.
  if (!leaf.issuerDn.includes(BOOTSTRAP_CA_NAME)) return null;
  const credential = await bootstrap.findBootstrap(ctx.db, ctx.namespaceId, { fingerprint: leaf.fingerprint });
  if (credential === null) return { refusal: NOT_A_PROVISIONING_CERTIFICATE };
  const now = ctx.clock();
  if (credential.revokedAt !== null) return { refusal: REVOKED };
  if (now < credential.validFrom) return { refusal: NOT_YET_VALID };
  if (credential.validUntil <= now) return { refusal: EXPIRED };
  return credential.usesLeft > 0 ? { credential } : { refusal: EXHAUSTED };
}

/**
 * Registers a device: a UUID and its row in the registry, a certificate of the fleet CA that is allowed or waits as the
 * credential says, and one use counted in the transaction that records the certificate.
 *
 * Nothing of it is repeated for a device id that is known: its key went out with the first reply and is kept nowhere.
 *
 * @returns DER of a PKCS#12 file without password: key, certificate and the authority of the device door
 * @throws AppError `backend.*` (the registry) | `keys.unsealable` | `internal.unavailable` (no open fleet CA)
 * @see docs/contracts/gateway.md section 4; docs/contracts/aktualizr-client.md section 2b
 */
export async function provisionDevice(
  ctx: IdentityCtx,
  { credential }: Bootstrap,
  input: ProvisionDevice & { address: string },
): Promise<{ readonly deviceUuid: string; readonly pkcs12: Buffer } | { readonly refusal: ProvisioningRefusal }> {
  // Looked up first, so that a client which asks every few seconds leaves no trail of audit entries.
  if ((await findDeviceByOemId(ctx.db, ctx.namespaceId, input.deviceId)) !== null)
    return { refusal: taken(input.deviceId) };
  const deviceUuid = randomUUID();
  const validForDays = Math.min(input.ttl ?? credential.certificateDays, credential.certificateDays);
  const rootPem = await loadDoorRootPem(ctx);
  const signed = await signDevice(ctx, { deviceUuid, validForDays });
  const barred = await refuseByRules(ctx, signed, input.address);
  if (barred !== null) return { refusal: barred };
  const pkcs12 = makePkcs12({ ...signed, authorities: [parseCertificate(rootPem)], password: "" });
  const actor: Actor = { kind: "system", name: `provisioning credential ${credential.description}` };
  const entry = {
    action: "certificate.issue" as const,
    target: { kind: "device" as const, id: deviceUuid, name: input.deviceId },
    after: { provisioningCredential: credential.id, policy: policyOf(credential) },
  };
  try {
    await auditBackendChange(ctx, { actor, entry }, async (finish) => {
      await registerDevice(ctx, { uuid: deviceUuid, deviceId: input.deviceId });
      const joined = await joinGroup(ctx, credential.groupId, deviceUuid);
      await ctx.db.$transaction(async (tx) => {
        await lockDevice(tx, ctx, deviceUuid);
        await takeNewcomer(tx, ctx, rateOf(signed.issuer));
        await assertAuthorityIs(tx, ctx, { id: signed.authorityId, states: ["open"] });
        const use = { id: credential.id, at: ctx.clock() };
        if (!(await bootstrap.takeUse(tx, ctx.namespaceId, use))) throw usedUp();
        await recordProvisioned(tx, ctx, actor, { credential, deviceUuid, deviceId: input.deviceId, signed });
        await noteServerCaGiven(tx, ctx, deviceUuid);
        const { fingerprint, serialHex } = signed.certificate;
        await finish(tx, { fingerprint, serial: serialHex, ...(joined ? {} : { failure: "group" }) });
      });
    });
  } catch (error) {
    if (isAppError(error, "device.conflict")) return { refusal: taken(input.deviceId) };
    await unregisterDevice(ctx, deviceUuid);
    if (isAppError(error, "provisioning_credential.used_up")) return { refusal: EXHAUSTED };
    if (isAppError(error, "authority.too_many_newcomers")) return { refusal: RULES.too_many_newcomers };
    throw error;
  }
  return { deviceUuid, pkcs12 };
}

/** The rules that the authority has for newcomers hold here as at the door, asked of the certificate that the device would get. */
async function refuseByRules(
  ctx: Ctx,
  { issuer, certificate }: Awaited<ReturnType<typeof signDevice>>,
  address: string,
): Promise<ProvisioningRefusal | null> {
  if (!isFrom(issuer.sourceNetworks, address)) return RULES.address_not_allowed;
  const misfit = misfitOf(certificate, issuer.newcomers);
  if (misfit !== null) return RULES[misfit];
  return (await hadItsNewcomers(ctx, rateOf(issuer))) ? RULES.too_many_newcomers : null;
}

function rateOf({ authorityId, newcomers }: Issuer): NewcomerRate {
  return { authorityId, newcomersPerHour: newcomers.newcomersPerHour };
}

type Provisioned = {
  credential: bootstrap.BootstrapRow;
  deviceUuid: string;
  deviceId: string;
  signed: Awaited<ReturnType<typeof signDevice>>;
};

async function recordProvisioned(
  tx: Parameters<typeof recordActivity>[0],
  ctx: Ctx,
  actor: Actor,
  { credential, deviceUuid, deviceId, signed }: Provisioned,
): Promise<void> {
  const now = ctx.clock();
  const state = policyOf(credential);
  const { certificate } = signed;
  await showNewDevice(tx, ctx, { uuid: deviceUuid, deviceId, name: deviceId });
  const { fingerprint, notAfter } = certificate;
  await store.insertCertificate(tx, ctx.namespaceId, {
    facts: certificate,
    fingerprint,
    deviceUuid,
    authorityId: signed.authorityId,
    state,
    name: deviceId,
    hardwareId: credential.hardwareId,
    note: `Registered with the provisioning credential ${credential.description}`,
    enrolledWith: credential.id,
    issuedHere: true,
    simulated: false,
    createdAt: now,
    seen: null,
    decided: state === "allowed" ? { at: now, by: actor.name } : null,
  });
  await setCertificate(tx, ctx.namespaceId, { deviceUuid, fingerprint, state, notAfter });
  const text = `It registered with the provisioning credential ${credential.description}.`;
  await recordActivity(tx, ctx.namespaceId, { deviceUuid, at: now, kind: "certificate", text });
  await announceChange(tx, ctx, { fingerprint, verb: "issued" });
  await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: fingerprint });
}

function usedUp(): AppError {
  return new AppError("provisioning_credential.used_up", "This provisioning credential can't be used any more.");
}

export const NOT_A_PROVISIONING_CERTIFICATE: ProvisioningRefusal = {
  code: "not_a_provisioning_certificate",
  status: 403,
  sentence: "Devices register here with a shared provisioning certificate, and this is none that is known.",
};
const REVOKED: ProvisioningRefusal = {
  code: "provisioning_revoked",
  status: 403,
  sentence: "This provisioning certificate has been revoked.",
};
const NOT_YET_VALID: ProvisioningRefusal = {
  code: "provisioning_not_yet_valid",
  status: 403,
  sentence: "This provisioning certificate is not valid yet.",
};
const EXPIRED: ProvisioningRefusal = {
  code: "provisioning_expired",
  status: 403,
  sentence: "This provisioning certificate has expired.",
};
const EXHAUSTED: ProvisioningRefusal = {
  code: "provisioning_exhausted",
  status: 403,
  sentence: "As many devices as this provisioning certificate is good for have registered with it.",
};
const RULES = {
  address_not_allowed: {
    code: "address_not_allowed",
    status: 403,
    sentence: "The authority that would issue takes no devices from this address.",
  },
  subject_not_allowed: {
    code: "subject_not_allowed",
    status: 403,
    sentence: "The authority that would issue takes no newcomers with a subject such as is issued here.",
  },
  key_type_not_allowed: {
    code: "key_type_not_allowed",
    status: 403,
    sentence: "The authority that would issue takes no newcomers with a P-256 key, as it is made here.",
  },
  validity_too_long: {
    code: "validity_too_long",
    status: 403,
    sentence: "The authority that would issue takes no newcomers with a certificate of such a long life.",
  },
  too_many_newcomers: {
    code: "too_many_newcomers",
    status: 429,
    sentence: "Too many new devices of this authority came in the last hour. Try again later.",
  },
} as const satisfies Partial<Record<ProvisioningRefusal["code"], ProvisioningRefusal>>;
function taken(deviceId: string): ProvisioningRefusal {
  return { ...ALREADY_REGISTERED, detail: `Another device is registered as “${deviceId}”.` };
}

const ALREADY_REGISTERED: ProvisioningRefusal = {
  code: "device_already_registered",
  status: 409,
  sentence: "A device of this id has registered already. Delete it first if it lost its credentials.",
};
