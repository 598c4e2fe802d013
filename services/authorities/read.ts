import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import {
  ADMISSION_POLICIES,
  type Authority,
  type AuthorityRules,
  type CertificateCounts,
} from "#lib/contracts/console/authorities.ts";
import type { ListQuery, Page } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { certificatePem, KEY_TYPES, parseCertificate } from "#lib/pki/certificates.ts";
import { DEVICE_ID_FIELDS, DEVICE_ID_FORMS } from "#lib/pki/device-id.ts";
import { publishedAt } from "./published.ts";
import { listByKey, sumOf } from "./same-key.ts";
import { type AuthorityRow, findAuthority, listManaged } from "./store-authority.ts";
import { findIssuer } from "./store-issuing.ts";

/** How many certificates each of these authorities touches; asked of who keeps the certificates, which this area does not know. */
export type CountCertificates = (
  db: DbOrTx,
  ctx: Pick<Ctx, "namespaceId" | "clock">,
  authorityIds: readonly string[],
) => Promise<ReadonlyMap<string, CertificateCounts>>;

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listAuthorities(
  ctx: Ctx,
  actor: Actor,
  { count, ...query }: ListQuery & { count: CountCertificates },
): Promise<Page<Authority>> {
  requirePermission(actor, "authority.read");
  const { rows, nextCursor, total } = await listManaged(ctx.db, ctx.namespaceId, query);
  return { data: await toDtos(ctx, rows, count), nextCursor, total, totalIsExact: true };
}

/** @throws AppError `auth.forbidden` | `authority.not_found` */
export async function getAuthority(
  ctx: Ctx,
  actor: Actor,
  { id, count }: { id: string; count: CountCertificates },
): Promise<Authority> {
  requirePermission(actor, "authority.read");
  return readAuthorityDto(ctx, id, count);
}

/** The certificate and its chain in PEM. @throws AppError `auth.forbidden` | `authority.not_found` */
export async function getAuthorityPem(ctx: Ctx, actor: Actor, id: string): Promise<string> {
  requirePermission(actor, "authority.read");
  const row = await requireAuthority(ctx.db, ctx, id);
  return [row.certificate, ...row.chain].map((der) => certificatePem({ der: Buffer.from(der) })).join("");
}

/** As pages show it. @throws AppError `authority.not_found` */
export async function readAuthorityDto(ctx: Ctx, id: string, count: CountCertificates): Promise<Authority> {
  const [dto] = await toDtos(ctx, [await requireAuthority(ctx.db, ctx, id)], count);
  if (dto === undefined) throw notFound();
  return dto;
}

/** @throws AppError `authority.not_found` */
export async function requireAuthority(db: DbOrTx, ctx: Pick<Ctx, "namespaceId">, id: string): Promise<AuthorityRow> {
  const row = await findAuthority(db, ctx.namespaceId, id);
  if (row === null) throw notFound();
  return row;
}

function notFound(): AppError {
  return new AppError("authority.not_found", "No authority with this id is known here.");
}

async function toDtos(ctx: Ctx, rows: readonly AuthorityRow[], count: CountCertificates): Promise<Authority[]> {
  const holders = await listByKey(ctx.db, ctx.namespaceId);
  const ofKey = (id: string) => holders.get(id) ?? [];
  const concerned = new Set(rows.flatMap(({ id }) => [id, ...ofKey(id).map((holder) => holder.id)]));
  const [counts, issuing] = await Promise.all([
    count(ctx.db, ctx, [...concerned]),
    findIssuer(ctx.db, ctx.namespaceId, { now: ctx.clock() }),
  ]);
  return rows.map((row) => ({
    ...toDto(ctx, row),
    issues: row.id === issuing?.id,
    certificates: counts.get(row.id) ?? sumOf([]),
    sameKey: ofKey(row.id).filter(({ id }) => id !== row.id),
    cutOff: sumOf(ofKey(row.id).map(({ id }) => counts.get(id))),
  }));
}

function toDto(ctx: Ctx, row: AuthorityRow): Omit<Authority, "issues" | "certificates" | "sameKey" | "cutOff"> {
  const certificate = parseCertificate(row.certificate);
  const waits = row.provedAt === null && row.proofUntil !== null && row.proofUntil > ctx.clock();
  return {
    id: row.id,
    name: row.name,
    fingerprint: row.fingerprint,
    subject: certificate.subjectDn,
    keyType: certificate.key.type,
    origin: row.origin === "uploaded" ? "uploaded" : "created",
    state: stateOf(row),
    hasKey: row.hasKey,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    chain: row.chain.map((der) => {
      const { subjectDn, fingerprint } = parseCertificate(der);
      return { subject: subjectDn, fingerprint };
    }),
    rules: rulesOf(row),
    proofUntil: waits ? (row.proofUntil?.toISOString() ?? null) : null,
    published: row.hasKey ? publishedAt(ctx.config, row.id) : null,
    revocationReason: row.revocationReason,
    stateChangedAt: row.stateChangedAt?.toISOString() ?? null,
    stateChangedBy: row.stateChangedBy,
    createdAt: row.createdAt.toISOString(),
  };
}

/** A state that this version does not know is shown for what it does: it admits nobody. */
export function stateOf(row: Pick<AuthorityRow, "state" | "provedAt">): Authority["state"] {
  if (row.state !== "open" && row.state !== "closed") return "revoked";
  return row.provedAt === null ? "unproved" : row.state;
}

function rulesOf(row: AuthorityRow): AuthorityRules {
  return {
    policy: ADMISSION_POLICIES.find((known) => known === row.policy) ?? "ask",
    deviceId: {
      field: DEVICE_ID_FIELDS.find((known) => known === row.deviceIdField) ?? "cn",
      template: row.deviceIdTemplate,
      form: DEVICE_ID_FORMS.find((known) => known === row.deviceIdForm) ?? "uuid",
    },
    subjectPattern: row.subjectPattern,
    keyTypes: KEY_TYPES.filter((type) => row.keyTypes.includes(type)),
    maxValidityDays: row.maxValidityDays,
    newcomersPerHour: row.newcomersPerHour,
    sourceNetworks: row.sourceNetworks,
    certificateDays: row.certificateDays,
    graceDays: row.graceDays,
    waitingDays: row.waitingDays,
    note: row.note,
  };
}
