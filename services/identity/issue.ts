import { randomUUID } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { CredentialBundle, IssueDevice } from "#lib/contracts/console/devices.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { issueDeviceCertificate } from "#lib/pki/issue.ts";
import { generateCertificateKey } from "#lib/pki/keys.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { announceChange, loadDoorRootPem, noteServerCaGiven, openFleetCa } from "#services/authorities/service.ts";
import { recordActivity, setCertificate, showNewDevice } from "#services/fleet/service.ts";
import { assertTomlSafe, credentialBundle } from "./bundle.ts";
import type { IdentityCtx } from "./ctx.ts";
import * as store from "./store.ts";
import { SIMULATED_UNIT } from "./visits.ts";

/**
 * Makes a device: a UUID, a certificate of the fleet CA that is allowed at once, and its row in the registry.
 *
 * `pending` signs a certificate and stores nothing, so that it comes to the door like one made elsewhere and waits for a person.
 *
 * @returns the files for the device; its private key is in them and nowhere else
 * @throws AppError `auth.forbidden` | `request.invalid` | `device.conflict` (the name is taken) | `backend.*` | `keys.unsealable`
 * @see contracts/gateway.md section 5
 */
export async function issueDevice(
  ctx: IdentityCtx,
  actor: Actor,
  input: IssueDevice & { simulated?: boolean; pending?: boolean },
): Promise<CredentialBundle> {
  requirePermission(actor, "device.issue");
  assertTomlSafe(input.hardwareId);
  const deviceUuid = randomUUID();
  const simulated = input.simulated ?? false;
  const pending = input.pending ?? false;
  const entry = {
    action: "certificate.issue" as const,
    target: { kind: "device" as const, id: deviceUuid, name: input.name },
    after: { hardwareId: input.hardwareId, simulated, allowed: !pending },
  };
  return auditBackendChange(ctx, { actor, entry }, async (finish) => {
    const rootPem = await loadDoorRootPem(ctx);
    const signed = await signDevice(ctx, { deviceUuid, ...(simulated ? { organizationalUnit: SIMULATED_UNIT } : {}) });
    const { certificate } = signed;
    if (!pending) {
      await ctx.backends.registry.createDevice(ctx, {
        uuid: deviceUuid,
        deviceId: deviceUuid,
        deviceName: input.name,
        credentials: signed.certificatePem,
      });
    }
    await ctx.db.$transaction(async (tx) => {
      if (!pending) {
        const now = ctx.clock();
        await store.insertCertificate(tx, ctx.namespaceId, {
          facts: certificate,
          fingerprint: certificate.fingerprint,
          deviceUuid,
          authorityId: signed.authorityId,
          state: "allowed",
          name: input.name,
          hardwareId: input.hardwareId,
          note: null,
          issuedHere: true,
          simulated,
          createdAt: now,
          seen: null,
          decided: { at: now, by: actor.name },
        });
        await showNewDevice(tx, ctx, { uuid: deviceUuid, deviceId: deviceUuid, name: input.name, simulated });
        const { fingerprint, notAfter } = certificate;
        await setCertificate(tx, ctx.namespaceId, { deviceUuid, fingerprint, state: "allowed", notAfter, simulated });
        const text = `Its certificate was issued by ${actor.name}.`;
        await recordActivity(tx, ctx.namespaceId, { deviceUuid, at: now, kind: "certificate", text });
        await announceChange(tx, ctx, { fingerprint, verb: "issued" });
        await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: fingerprint });
      }
      await noteServerCaGiven(tx, ctx, deviceUuid);
      await finish(tx, { fingerprint: certificate.fingerprint, serial: certificate.serialHex });
    });
    const { gatewayUrl } = ctx.config;
    return credentialBundle({ ...signed, deviceUuid, rootPem, gatewayUrl, hardwareId: input.hardwareId });
  });
}

/** A new key and the fleet CA's certificate for it. @throws AppError `keys.unsealable` | `internal.unavailable` */
export async function signDevice(
  ctx: Ctx,
  device: { deviceUuid: string; organizationalUnit?: string; validForDays?: number },
) {
  const ca = await openFleetCa(ctx);
  const key = generateCertificateKey();
  const issued = await issueDeviceCertificate({
    ca,
    validForDays: ca.certificateDays,
    ...device,
    publicKey: key.publicKey,
    now: ctx.clock(),
  });
  return { ...issued, privateKeyPem: key.privateKeyPem, authorityId: ca.authorityId, issuer: ca };
}
