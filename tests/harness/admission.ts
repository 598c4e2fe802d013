import type { Ctx } from "#lib/ctx.ts";
import {
  type AdmissionDecision,
  type AdmissionQuestion,
  decideAdmission,
  type KnownAuthority,
  type KnownCertificate,
} from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { COMMON_NAME_IS_UUID, identifyDevice } from "#lib/pki/device-id.ts";
import { listKnownAuthorities } from "#services/authorities/service.ts";
import { readAdmissionFacts, type Visit } from "#services/identity/service.ts";

/** An open authority that asks a person and sets no limits. */
export function knownAuthority(certificate: CertificateFacts, change: Partial<KnownAuthority> = {}): KnownAuthority {
  return {
    id: certificate.fingerprint.slice(0, 8),
    kind: "fleet",
    certificate,
    state: "open",
    policy: "ask",
    deviceId: COMMON_NAME_IS_UUID,
    newcomers: { subjectPattern: null, keyTypes: [], maxValidityDays: null, newcomersPerHour: null },
    sourceNetworks: [],
    ...change,
  };
}

export function knownCertificate(
  leaf: Pick<CertificateFacts, "fingerprint">,
  state: KnownCertificate["state"],
  change: Partial<KnownCertificate> = {},
): KnownCertificate {
  return { fingerprint: leaf.fingerprint, state, graceUntil: null, isUnusedRenewal: false, ...change };
}

/** A question about somebody of whom nothing is known. */
export const NOTHING_KNOWN = {
  known: null,
  allowlisted: false,
  otherAllowedCount: 0,
  newcomersLastHour: 0,
  address: "192.0.2.9",
} as const satisfies Partial<AdmissionQuestion>;

/** The decision that a gateway which remembers nothing makes now. */
export async function judge(ctx: Ctx, leaf: CertificateFacts): Promise<AdmissionDecision> {
  const question = { ...NOTHING_KNOWN, leaf, authorities: await listKnownAuthorities(ctx), now: ctx.clock() };
  const stranger = decideAdmission(question);
  const { authorityId } = stranger;
  if (authorityId === null) return stranger;
  const device = stranger.admitted ? { uuid: stranger.deviceUuid, id: stranger.deviceId } : stranger.device;
  const facts = await readAdmissionFacts(ctx.db, ctx.namespaceId, { leaf, device, authorityId }, question.now);
  return decideAdmission({ ...question, ...facts });
}

/** "admitted", or the code of the refusal. */
export async function judgedAs(ctx: Ctx, leaf: CertificateFacts): Promise<string> {
  const decision = await judge(ctx, leaf);
  return decision.admitted ? "admitted" : decision.code;
}

/** What the door tells of a leaf whose common name is its device's UUID. */
export function visitOf(leaf: CertificateFacts, authorityId: string, address = "192.0.2.9"): Visit {
  return { leaf, authorityId, address, device: identifyDevice(leaf, COMMON_NAME_IS_UUID) };
}
