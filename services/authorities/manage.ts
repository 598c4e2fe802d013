import { randomUUID } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type {
  Authority,
  ChangeAuthority,
  CreateAuthority,
  UploadAuthority,
} from "#lib/contracts/console/authorities.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { readAuthority } from "#lib/pki/authority-upload.ts";
import { createFleetCa } from "#lib/pki/issue.ts";
import { type AuditFacts, record } from "#services/audit/service.ts";
import { announceChange } from "./changes.ts";
import { type CountCertificates, readAuthorityDto, requireAuthority, stateOf } from "./read.ts";
import { purposeOf } from "./sealing.ts";
import { type AuthorityRow, changeAuthority as changeRow, insertManaged } from "./store-authority.ts";

/**
 * Makes an authority with a key of this install. New devices' certificates come from it from then on; what others signed stays good.
 *
 * @throws AppError `auth.forbidden`
 */
export async function createAuthority(
  ctx: Ctx,
  actor: Actor,
  { count, ...input }: CreateAuthority & { count: CountCertificates },
): Promise<Authority> {
  requirePermission(actor, "authority.manage");
  const id = randomUUID();
  const made = await createFleetCa({
    commonName: `${input.name.slice(0, 50)} ${id.slice(0, 8)}`,
    now: ctx.clock(),
    keyKind: input.keyKind,
    validForDays: Math.round(input.years * 365.25),
  });
  await insert(ctx, actor, {
    id,
    name: input.name,
    policy: input.policy,
    origin: "created",
    authority: { certificate: made.certificate, chain: [], privateKeyPem: made.privateKeyPem },
  });
  return readAuthorityDto(ctx, id, count);
}

/**
 * Makes an outside authority known. With its key this install issues in its name; without, it only recognises what that one signed,
 * and not before `proveAuthority`.
 *
 * @throws AppError `auth.forbidden` | `authority.exists`, and what `readAuthority` throws
 */
export async function uploadAuthority(
  ctx: Ctx,
  actor: Actor,
  { count, ...input }: UploadAuthority & { count: CountCertificates },
): Promise<Authority> {
  requirePermission(actor, "authority.manage");
  const authority = readAuthority({
    certificatePem: input.certificatePem,
    ...(input.privateKeyPem === undefined ? {} : { privateKeyPem: input.privateKeyPem }),
    now: ctx.clock(),
  });
  const id = randomUUID();
  const { subjectCn, subjectDn } = authority.certificate;
  const name = input.name ?? (subjectCn ?? subjectDn).slice(0, 100);
  await insert(ctx, actor, { id, name, policy: input.policy, origin: "uploaded", authority });
  return readAuthorityDto(ctx, id, count);
}

/**
 * Changes what an authority is called and asks. Rules for newcomers leave alone who is known; source networks hold for every request.
 *
 * @throws AppError `auth.forbidden` | `authority.not_found` | `authority.wrong_state` (another field for the device's id, while it has
 *   certificates or issues them)
 */
export async function changeAuthority(
  ctx: Ctx,
  actor: Actor,
  { id, count, change }: { id: string; count: CountCertificates; change: ChangeAuthority },
): Promise<Authority> {
  requirePermission(actor, "authority.manage");
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `authorities:${ctx.namespaceId}`);
    const row = await requireAuthority(tx, ctx, id);
    if (change.deviceId !== undefined) await assertIdRuleMayChange(tx, ctx, { row, count, rule: change.deviceId });
    const columns = columnsOf(change);
    const changed = Object.entries(columns).filter(
      ([column, value]) => !isSame(row[column as keyof AuthorityRow], value),
    );
    if (changed.length === 0) return;
    await changeRow(tx, ctx.namespaceId, { id, change: columns });
    await announceChange(tx, ctx, { fingerprint: null, authorityId: id, verb: "changed" });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action: "authority.change",
      target: { kind: "authority", id, name: row.name },
      before: factsOf(changed.map(([column]) => [column, row[column as keyof AuthorityRow]])),
      after: factsOf(changed),
    });
  });
  return readAuthorityDto(ctx, id, count);
}

async function insert(
  ctx: Ctx,
  actor: Actor,
  given: {
    id: string;
    name: string;
    policy: string;
    origin: "created" | "uploaded";
    authority: ReturnType<typeof readAuthority>;
  },
): Promise<void> {
  const { id, name, policy, origin, authority } = given;
  const { certificate, chain, privateKeyPem } = authority;
  const at = ctx.clock();
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `authorities:${ctx.namespaceId}`);
    const inserted = await insertManaged(tx, ctx.namespaceId, {
      id,
      name,
      certificate,
      chain,
      sealedKey: privateKeyPem === null ? null : ctx.keys.seal(Buffer.from(privateKeyPem), purposeOf(id)),
      origin,
      provedAt: privateKeyPem === null ? null : at,
      policy,
      at,
      by: actor.name,
    });
    if (!inserted) throw new AppError("authority.exists", "An authority with exactly this certificate is known here.");
    await announceChange(tx, ctx, { fingerprint: null, authorityId: id, verb: origin });
    await publishEvent(tx, ctx.namespaceId, { topic: "certificate", subjectId: "" });
    await record(tx, ctx, actor, {
      action: origin === "created" ? "authority.create" : "authority.upload",
      target: { kind: "authority", id, name },
      after: {
        fingerprint: certificate.fingerprint,
        keyType: certificate.key.type,
        notAfter: certificate.notAfter.toISOString(),
        policy,
        hasKey: privateKeyPem !== null,
      },
    });
  });
}

/** Another rule would make other devices of known certificates, and what is issued here names the UUID in the common name. */
async function assertIdRuleMayChange(
  tx: Tx,
  ctx: Ctx,
  { row, count, rule }: { row: AuthorityRow; count: CountCertificates; rule: NonNullable<ChangeAuthority["deviceId"]> },
): Promise<void> {
  const { field, template, form } = rule;
  if (field === row.deviceIdField && template === row.deviceIdTemplate && form === row.deviceIdForm) return;
  if (row.hasKey && (field !== "cn" || template !== "{id}")) {
    throw new AppError(
      "authority.wrong_state",
      "This install issues with this authority, and names the device in the common name alone.",
    );
  }
  const counts = (await count(tx, ctx, [row.id])).get(row.id);
  if (stateOf(row) === "revoked" || counts === undefined || counts.allowed + counts.waiting === 0) return;
  throw new AppError(
    "authority.wrong_state",
    "It has certificates that are allowed or wait: another rule would make other devices of them. Revoke or reject these first.",
    { context: { authorityId: row.id, allowed: counts.allowed, waiting: counts.waiting } },
  );
}

function columnsOf({ deviceId, ...rest }: ChangeAuthority) {
  const defined = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  if (deviceId === undefined) return defined;
  const { field, template, form } = deviceId;
  return { ...defined, deviceIdField: field, deviceIdTemplate: template, deviceIdForm: form };
}

function isSame(before: unknown, after: unknown): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}

function factsOf(columns: readonly (readonly [string, unknown])[]): AuditFacts {
  return Object.fromEntries(columns.map(([column, value]) => [column, factOf(value)]));
}

function factOf(value: unknown): AuditFacts[string] {
  if (Array.isArray(value)) return value.map(String);
  return typeof value === "string" || typeof value === "number" ? value : null;
}
