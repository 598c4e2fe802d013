import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type {
  AdmitRefused,
  ListRefusals,
  Refusal,
  RefusalDetail,
  RefusedCertificate,
} from "#lib/contracts/console/refusals.ts";
import type { Ctx } from "#lib/ctx.ts";
import { publishEvent } from "#lib/db/events.ts";
import { wordsOf } from "#lib/domain/refusals.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { decideAdmission } from "#lib/pki/admission.ts";
import { type CertificateFacts, certificatePem, parseCertificate } from "#lib/pki/certificates.ts";
import {
  BOOTSTRAP_CA_NAME,
  listAuthorityNames,
  listAuthorityProfiles,
  listKnownAuthorities,
} from "#services/authorities/service.ts";
import { addAllowlistEntry } from "./allowlist.ts";
import { approveCertificate } from "./approve.ts";
import type { IdentityCtx } from "./ctx.ts";
import { detailOf } from "./refusal-detail.ts";
import { countAttempts } from "./refusal-rates.ts";
import { findCertificate } from "./store.ts";
import * as store from "./store-refusals.ts";
import { readAdmissionFacts } from "./visits.ts";

/** Attempts of one certificate, or of none, that were refused for one reason. */
export type RefusedVisit = {
  /** null when none was shown or it could not be read. */
  readonly leaf: CertificateFacts | null;
  readonly code: string;
  /** What the device was told. */
  readonly sentence: string;
  /** The authority of ours that signed it. */
  readonly authorityId: string | null;
  /** What the one who refused knows best; else it is found out here. */
  readonly detail?: string | null;
  readonly address: string;
  /** All that these attempts came from, the last one first; left out when it is that one alone. */
  readonly addresses?: readonly string[];
  readonly count: number;
  readonly at: Date;
};

/**
 * Counts refused attempts and says of each what people should know, any number in a few statements, and forgets the oldest beyond the cap. No
 * two of a batch may share certificate and code.
 */
export async function recordRefusals(ctx: Ctx, batch: readonly RefusedVisit[]): Promise<void> {
  if (batch.length === 0) return;
  const rows = await explained(ctx, batch);
  await ctx.db.$transaction(async (tx) => {
    await store.addRefusals(tx, ctx.namespaceId, rows);
    await store.capRefusals(tx, ctx.namespaceId);
    await countAttempts(tx, ctx, batch);
    await publishEvent(tx, ctx.namespaceId, { topic: "refusal", subjectId: "" });
  });
}

async function explained(ctx: Ctx, batch: readonly RefusedVisit[]): Promise<store.RefusalBatchRow[]> {
  const shown = batch.some(({ leaf }) => leaf !== null);
  // Only what an authority of ours signed can be on record.
  const ours = batch.flatMap(({ leaf, authorityId }) => (leaf === null || authorityId === null ? [] : [leaf]));
  const claimShared = batch.flatMap(({ leaf }) => (leaf?.issuerDn.includes(BOOTSTRAP_CA_NAME) === true ? [leaf] : []));
  const [authorities, records, shared] = await Promise.all([
    shown ? listAuthorityProfiles(ctx) : [],
    store.listDecided(ctx.db, ctx.namespaceId, ours),
    store.listShared(ctx.db, ctx.namespaceId, claimShared),
  ]);
  const byFingerprint = new Map(records.map((record) => [record.fingerprint, record]));
  const bySignedPart = new Map(records.map((record) => [record.tbsSha256, record]));
  const byId = new Map(authorities.map((authority) => [authority.id, authority]));
  return batch.map(({ leaf, ...visit }) => {
    const authority = visit.authorityId === null ? null : (byId.get(visit.authorityId) ?? null);
    const record =
      leaf === null ? null : (byFingerprint.get(leaf.fingerprint) ?? bySignedPart.get(leaf.tbsSha256) ?? null);
    return {
      ...visit,
      fingerprint: leaf?.fingerprint ?? "",
      subjectDn: leaf?.subjectDn ?? null,
      issuerDn: leaf?.issuerDn ?? null,
      certificate: leaf?.der ?? null,
      addresses: visit.addresses ?? [visit.address],
      detail: detailOf({
        ...visit,
        leaf,
        authority,
        authorities,
        record,
        shared: shared.find(({ fingerprint }) => fingerprint === leaf?.fingerprint) ?? null,
      }),
    };
  });
}

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listRefusals(ctx: Ctx, actor: Actor, query: ListRefusals): Promise<Page<Refusal>> {
  requirePermission(actor, "refusal.read");
  const found = await store.listRefusals(ctx.db, ctx.namespaceId, query);
  const names = await listAuthorityNames(ctx);
  const data = found.rows.map((row) => toDto(row, names));
  return { data, nextCursor: found.nextCursor, total: found.total, totalIsExact: true };
}

/** @throws AppError `auth.forbidden` | `refusal.not_found` (the list may have forgotten it meanwhile) */
export async function getRefusal(ctx: Ctx, actor: Actor, id: string): Promise<RefusalDetail> {
  requirePermission(actor, "refusal.read");
  const row = await requireRefusal(ctx, id);
  const leaf = row.certificate === null ? null : parseCertificate(row.certificate);
  return { ...toDto(row, await listAuthorityNames(ctx)), certificate: leaf === null ? null : toRefused(leaf) };
}

/**
 * Lets a refused certificate in: one that waits is approved, another is put on the allowlist by its fingerprint, and comes in at its next
 * visit. Only what the one admission decision would let in then: no rule of its authority is bent but the list's and the rate's.
 *
 * @returns whether it is in already
 * @throws AppError `auth.forbidden` | `refusal.not_found` | `refusal.not_admissible` | `allowlist.exists` | `certificate.*` |
 *   `device.conflict` | `backend.*`
 */
export async function admitRefused(
  ctx: IdentityCtx,
  actor: Actor,
  { id, ...input }: AdmitRefused & { id: string },
): Promise<{ fingerprint: string; isIn: boolean }> {
  requirePermission(actor, "certificate.decide");
  const row = await requireRefusal(ctx, id);
  if (row.certificate === null || wordsOf(row.code)?.remedy !== "admit") {
    throw new AppError("refusal.not_admissible", "What was refused for this reason can't be let in from here.");
  }
  const leaf = parseCertificate(row.certificate);
  const { fingerprint } = leaf;
  await assertAdmissible(ctx, leaf);
  const waiting = await findCertificate(ctx.db, ctx.namespaceId, fingerprint);
  if (waiting?.state === "pending") {
    await approveCertificate(ctx, actor, { ...input, fingerprint });
    return { fingerprint, isIn: true };
  }
  try {
    const { approved } = await addAllowlistEntry(ctx, actor, { kind: "fingerprint", value: fingerprint, ...input });
    return { fingerprint, isIn: approved === fingerprint };
  } catch (error) {
    // It was put there meanwhile: what was asked for is so.
    if (isAppError(error, "allowlist.exists")) return { fingerprint, isIn: false };
    throw error;
  }
}

/** Asks the one admission decision what it would say of this certificate if it were on the allowlist. */
async function assertAdmissible(ctx: Ctx, leaf: CertificateFacts): Promise<void> {
  const now = ctx.clock();
  const authorities = await listKnownAuthorities(ctx);
  // From where it may come is asked again at its visit.
  const anywhere = authorities.map((authority) => ({ ...authority, sourceNetworks: [] }));
  const question = { leaf, authorities: anywhere, now, address: null, allowlisted: true };
  const stranger = decideAdmission({ ...question, known: null, otherAllowedCount: 0, newcomersLastHour: 0 });
  const { authorityId } = stranger;
  const device = stranger.admitted ? { uuid: stranger.deviceUuid, id: stranger.deviceId } : stranger.device;
  const decision =
    authorityId === null
      ? stranger
      : decideAdmission({
          ...question,
          ...(await readAdmissionFacts(ctx.db, ctx.namespaceId, { leaf, device, authorityId }, now)),
          allowlisted: true,
        });
  if (decision.admitted) return;
  throw new AppError("refusal.not_admissible", `It would still be refused. ${decision.sentence}`, {
    context: { fingerprint: leaf.fingerprint, code: decision.code },
  });
}

async function requireRefusal(ctx: Ctx, id: string) {
  const row = await store.findRefusal(ctx.db, ctx.namespaceId, id);
  if (row === null) throw new AppError("refusal.not_found", "This attempt is not on the list, or not any more.");
  return row;
}

function toDto(row: store.RefusalRow, names: readonly { id: string; name: string }[]): Refusal {
  const remedy = wordsOf(row.code)?.remedy ?? "none";
  return {
    id: row.id,
    fingerprint: row.fingerprint === "" ? null : row.fingerprint,
    code: row.code,
    sentence: row.sentence,
    detail: row.detail,
    subject: row.subjectDn,
    issuer: row.issuerDn,
    authority: names.find(({ id }) => id === row.authorityId) ?? null,
    address: row.address,
    addresses: row.addresses,
    remedy: row.fingerprint === "" ? "none" : remedy,
    count: row.count,
    firstAt: row.firstAt.toISOString(),
    lastAt: row.lastAt.toISOString(),
  };
}

function toRefused(leaf: CertificateFacts): RefusedCertificate {
  return {
    serial: leaf.serialHex,
    notBefore: leaf.notBefore.toISOString(),
    notAfter: leaf.notAfter.toISOString(),
    keyType: leaf.key.type,
    spkiSha256: leaf.spkiSha256,
    signatureHash: leaf.signatureHash,
    isCa: leaf.isCa,
    keyUsage: leaf.keyUsage === null ? null : [...leaf.keyUsage],
    extendedKeyUsage: leaf.extendedKeyUsage === null ? null : [...leaf.extendedKeyUsage],
    alternativeNames: [...leaf.sanDns, ...leaf.sanUri],
    pem: certificatePem(leaf),
  };
}
