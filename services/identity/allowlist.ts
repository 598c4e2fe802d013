import { randomUUID } from "node:crypto";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import {
  type AddAllowlistEntry,
  type AllowlistEntry,
  AllowlistKind,
  AllowlistTags,
  type ListAllowlist,
} from "#lib/contracts/console/allowlist.ts";
import type { AllowCertificate, Certificate } from "#lib/contracts/console/certificates.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { type AllowlistKey, parseAllowlistValue } from "#lib/pki/allowlist-value.ts";
import { record } from "#services/audit/service.ts";
import { listAuthorityNames } from "#services/authorities/service.ts";
import { approveCertificate } from "./approve.ts";
import { assertGroup } from "./assert-group.ts";
import { readCertificate } from "./certificates.ts";
import type { IdentityCtx } from "./ctx.ts";
import { assertState } from "./decisions.ts";
import { findCertificate } from "./store.ts";
import * as store from "./store-allowlist.ts";

/** @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not ours) */
export async function listAllowlist(ctx: Ctx, actor: Actor, query: ListAllowlist): Promise<Page<AllowlistEntry>> {
  requirePermission(actor, "certificate.read");
  const found = await store.listEntries(ctx.db, ctx.namespaceId, { ...query, now: ctx.clock() });
  const names = await listAuthorityNames(ctx);
  const data = found.rows.map((row) => toDto(row, names));
  return { data, nextCursor: found.nextCursor, total: found.total, totalIsExact: true };
}

/**
 * Lets a certificate in before it was ever seen. One that waits already and is named by its fingerprint or key comes in at once; another at
 * its next visit.
 *
 * @throws AppError `auth.forbidden` | `request.invalid` | `allowlist.exists` | `certificate.wrong_state` (rejected or revoked for
 *   good) | `device.conflict` | `backend.*`
 */
export async function addAllowlistEntry(
  ctx: IdentityCtx,
  actor: Actor,
  input: AddAllowlistEntry,
): Promise<{ entry: AllowlistEntry; approved: string | null }> {
  requirePermission(actor, "certificate.decide");
  const key = await requireKey(ctx, input);
  await assertGroup(ctx, input.groupId);
  if (key.kind === "fingerprint") await assertNotDecided(ctx, key.value);
  const row = await insert(ctx, actor, { key, input });
  if (row === null) throw new AppError("allowlist.exists", "This is on the allowlist already.");
  const approved = await approveWaiting(ctx, actor, row);
  const current = await store.findByKey(ctx.db, ctx.namespaceId, key);
  return { entry: toDto(current ?? row, await listAuthorityNames(ctx)), approved };
}

/** Takes an entry off the list. A certificate that came in with it stays. @throws AppError `auth.forbidden` | `allowlist.not_found` */
export async function removeAllowlistEntry(ctx: Ctx, actor: Actor, id: string): Promise<void> {
  requirePermission(actor, "certificate.decide");
  await ctx.db.$transaction(async (tx) => {
    const row = await store.deleteEntry(tx, ctx.namespaceId, id);
    if (row === null) throw new AppError("allowlist.not_found", "No entry of the allowlist has this id.");
    await record(tx, ctx, actor, {
      action: "allowlist.remove",
      target: { kind: "allowlist_entry", id, name: row.name ?? row.value },
      before: { kind: row.kind, value: row.value, usedBy: row.usedBy },
    });
  });
}

/**
 * Puts a fingerprint on the allowlist before its first visit; approves it when it already waits. Repeating it is fine.
 *
 * @throws AppError `auth.forbidden` | `certificate.wrong_state` (rejected or revoked for good) | `certificate.conflict` |
 *   `device.conflict` | `backend.*`
 */
export async function allowCertificate(ctx: IdentityCtx, actor: Actor, input: AllowCertificate): Promise<Certificate> {
  requirePermission(actor, "certificate.decide");
  const { fingerprint, ...given } = input;
  const known = await findCertificate(ctx.db, ctx.namespaceId, fingerprint);
  if (known?.state === "pending") return approveCertificate(ctx, actor, input);
  if (known !== null) {
    assertState(known, ["allowed"], "allowed");
    return readCertificate(ctx, fingerprint);
  }
  const key = { kind: "fingerprint", scope: "", value: fingerprint } as const;
  await insert(ctx, actor, { key, input: { kind: "fingerprint", value: fingerprint, ...given } });
  const row = await store.findByKey(ctx.db, ctx.namespaceId, key);
  return unseen(fingerprint, row, ctx.clock());
}

/** One whose device has another certificate goes on waiting: replacing that is a decision of its own. @returns whom it let in */
async function approveWaiting(ctx: IdentityCtx, actor: Actor, entry: store.AllowlistRow): Promise<string | null> {
  const fingerprint = await store.findWaiting(ctx.db, ctx.namespaceId, entry);
  if (fingerprint === null) return null;
  try {
    await approveCertificate(ctx, actor, {
      fingerprint,
      entry,
      ...(entry.name === null ? {} : { name: entry.name }),
      ...(entry.note === null ? {} : { note: entry.note }),
    });
    return fingerprint;
  } catch (error) {
    if (isAppError(error, "certificate.conflict") || isAppError(error, "certificate.wrong_state")) return null;
    throw error;
  }
}

/** @returns null when it is on the list already */
async function insert(
  ctx: Ctx,
  actor: Actor,
  { key, input }: { key: AllowlistKey; input: AddAllowlistEntry },
): Promise<store.AllowlistRow | null> {
  const entry = {
    ...key,
    id: randomUUID(),
    name: input.name ?? null,
    hardwareId: input.hardwareId ?? null,
    groupId: input.groupId ?? null,
    tags: input.tags ?? {},
    note: input.note ?? null,
    expiresAt: input.expiresAt === undefined ? null : new Date(input.expiresAt),
  };
  return ctx.db.$transaction(async (tx) => {
    const inserted = { entries: [entry], createdAt: ctx.clock(), createdBy: actor.name };
    if ((await store.insertEntries(tx, ctx.namespaceId, inserted)) === 0) return null;
    await record(tx, ctx, actor, {
      action: "allowlist.add",
      target: { kind: "allowlist_entry", id: entry.id, name: entry.name ?? entry.value },
      after: {
        kind: entry.kind,
        value: entry.value,
        ...(entry.scope === "" ? {} : { authority: entry.scope }),
        ...(entry.note === null ? {} : { note: entry.note }),
        ...(entry.expiresAt === null ? {} : { expiresAt: entry.expiresAt.toISOString() }),
      },
    });
    return store.findByKey(tx, ctx.namespaceId, key);
  });
}

async function requireKey(ctx: Ctx, { kind, value: text, authorityId }: AddAllowlistEntry): Promise<AllowlistKey> {
  const value = parseAllowlistValue(kind, text);
  if (value === null) throw invalid("value", `is no ${kind}`);
  const scoped = kind === "subject" || kind === "serial";
  if (!scoped) return { kind, scope: "", value };
  if (authorityId === undefined) throw invalid("authorityId", "names whose subject or serial number it is");
  const known = (await listAuthorityNames(ctx)).some(({ id }) => id === authorityId);
  if (!known) throw invalid("authorityId", "is no authority known here");
  return { kind, scope: authorityId, value };
}

/** What a person refused is not let in by a list. */
async function assertNotDecided(ctx: Ctx, fingerprint: string): Promise<void> {
  const known = await findCertificate(ctx.db, ctx.namespaceId, fingerprint);
  if (known !== null) assertState(known, ["pending"], "put on the allowlist");
}

function invalid(path: string, message: string): AppError {
  return new AppError("request.invalid", `${path} ${message}.`, { detail: [{ path, message }] });
}

function toDto(row: store.AllowlistRow, names: readonly { id: string; name: string }[]): AllowlistEntry {
  return {
    id: row.id,
    // A kind that a later version stored names no certificate here.
    kind: AllowlistKind.catch("fingerprint").parse(row.kind),
    value: row.value,
    authority: names.find(({ id }) => id === row.scope) ?? null,
    name: row.name,
    hardwareId: row.hardwareId,
    groupId: row.groupId,
    tags: AllowlistTags.catch({}).parse(row.tags),
    note: row.note,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    usedAt: row.usedAt?.toISOString() ?? null,
    usedBy: row.usedBy,
    createdAt: row.createdAt.toISOString(),
    createdBy: row.createdBy,
  };
}

/** A fingerprint that is allowed and that nobody has come with yet, as a certificate of which nothing else is known. */
function unseen(fingerprint: string, row: store.AllowlistRow | null, now: Date): Certificate {
  return {
    fingerprint,
    state: "allowed",
    deviceUuid: null,
    name: row?.name ?? null,
    subject: null,
    issuer: null,
    authority: null,
    serial: null,
    notBefore: null,
    notAfter: null,
    hardwareId: row?.hardwareId ?? null,
    note: row?.note ?? null,
    revocationReason: null,
    issuedHere: false,
    simulated: false,
    warnings: [],
    firstSeenAt: null,
    lastSeenAt: null,
    lastAddress: null,
    createdAt: (row?.createdAt ?? now).toISOString(),
    decidedAt: row?.createdAt.toISOString() ?? null,
    decidedBy: row?.createdBy ?? null,
    keyType: null,
    graceUntil: null,
    lapsesAt: null,
    wouldReplace: null,
  };
}
