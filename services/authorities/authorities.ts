import { randomUUID } from "node:crypto";
import { SYSTEM } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { AdmissionPolicy, KnownAuthority, NewcomerRules } from "#lib/pki/admission.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { DEVICE_ID_FIELDS, DEVICE_ID_FORMS, type DeviceIdRule } from "#lib/pki/device-id.ts";
import { BACKDATED_MS, createBootstrapCa, createFleetCa, type IssuingCa, openIssuingCa } from "#lib/pki/issue.ts";
import { record } from "#services/audit/service.ts";
import { ensureDoorCertificate } from "./door-certificate.ts";
import { publishedAt } from "./published.ts";
import { purposeOf } from "./sealing.ts";
import * as store from "./store.ts";
import { findIssuer, type IssuerRow } from "./store-issuing.ts";

/** How every bootstrap authority's name begins: a hint that saves asking the database about strangers, never a proof. */
export const BOOTSTRAP_CA_NAME = "Gatehouse bootstrap CA";

/**
 * Makes what the device door needs and does not have: the fleet CA, the server CA and the door's certificate. Call it at every
 * start and from time to time: it also renews the door's certificate.
 *
 * Any number of processes may call it at once; one makes, the others wait and find.
 */
export async function ensureAuthorities(ctx: Ctx): Promise<void> {
  await ensureIssuingCa(ctx, "fleet");
  await ensureDoorCertificate(ctx);
}

/**
 * The fleet CA this install issues with, ready to sign. Made when there is none.
 *
 * @throws AppError `keys.unsealable` | `internal.unavailable` (none that could is open)
 */
export async function openFleetCa(ctx: Ctx): Promise<Issuer> {
  await ensureIssuingCa(ctx, "fleet");
  const row = await findIssuer(ctx.db, ctx.namespaceId, { now: ctx.clock() });
  if (row === null) throw noneOpen();
  return toIssuer(ctx, row);
}

/** An authority that can sign a device's certificate now, with its rules for that. */
export type Issuer = OpenedCa & {
  readonly name: string;
  /** The life of what it signs, unless a shorter one is asked for. */
  readonly certificateDays: number;
  /** What it asks of devices that come or enrol by themselves. */
  readonly newcomers: NewcomerRules;
  /** CIDR; none: from anywhere. */
  readonly sourceNetworks: readonly string[];
};

/** @throws AppError `keys.unsealable` */
export function toIssuer(ctx: Pick<Ctx, "keys" | "config">, row: IssuerRow): Issuer {
  const { id, name, certificate, sealedKey, certificateDays, sourceNetworks, ...newcomers } = row;
  // From its first moment on, which lies before now.
  const longest = newcomers.maxValidityDays === null ? certificateDays : newcomers.maxValidityDays - BACKDATED_DAYS;
  return {
    ...openStored(ctx, { id, certificate, sealedKey }),
    name,
    certificateDays: Math.min(certificateDays, longest),
    newcomers,
    sourceNetworks,
  };
}

const BACKDATED_DAYS = BACKDATED_MS / 86_400_000;

/**
 * The authority of the shared certificates with which devices register. Made when the first one is wanted.
 *
 * @throws AppError `keys.unsealable` | `internal.unavailable` (it was closed or revoked)
 */
export async function openBootstrapCa(ctx: Ctx): Promise<OpenedCa> {
  await ensureIssuingCa(ctx, "bootstrap");
  const row = await store.findOpenWithKey(ctx.db, ctx.namespaceId, "bootstrap");
  if (row === null) throw noneOpen();
  return openRow(ctx, row);
}

function noneOpen(): AppError {
  return new AppError("internal.unavailable", "This install has no open authority to issue with.");
}

export type OpenedCa = IssuingCa & { readonly authorityId: string };

/** An authority of devices, with the addresses that stand in all it signs. @throws AppError `keys.unsealable` */
export function openStored(ctx: Pick<Ctx, "keys" | "config">, row: SealedRow): OpenedCa {
  return { ...openRow(ctx, row), published: publishedAt(ctx.config, row.id) };
}

type SealedRow = { id: string; certificate: Uint8Array; sealedKey: Uint8Array };

/** Without any address. @throws AppError `keys.unsealable` */
export function openRow(ctx: Pick<Ctx, "keys">, row: SealedRow): OpenedCa {
  const privateKeyPem = ctx.keys.open(row.sealedKey, purposeOf(row.id)).toString("utf8");
  return { ...openIssuingCa(parseCertificate(row.certificate), privateKeyPem), authorityId: row.id };
}

/** All authorities whose certificates the door judges, as the admission decision wants them. */
export async function listKnownAuthorities(ctx: Pick<Ctx, "db" | "namespaceId">): Promise<KnownAuthority[]> {
  const rows = await store.listAuthorities(ctx.db, ctx.namespaceId);
  return rows.map((row) => ({
    id: row.id,
    kind: row.kind === "canary" ? ("canary" as const) : ("fleet" as const),
    certificate: parseCertificate(row.certificate),
    state: stateOf(row.state),
    policy: policyOf(row.policy),
    deviceId: deviceIdRuleOf(row),
    newcomers: {
      subjectPattern: row.subjectPattern,
      keyTypes: row.keyTypes,
      maxValidityDays: row.maxValidityDays,
      newcomersPerHour: row.newcomersPerHour,
    },
    sourceNetworks: row.sourceNetworks,
  }));
}

/** What to call the authorities whose certificates are devices'. */
export function listAuthorityNames(ctx: Pick<Ctx, "db" | "namespaceId">): Promise<{ id: string; name: string }[]> {
  return store.listNames(ctx.db, ctx.namespaceId);
}

/** What is known of an authority, short of its certificate: enough to explain a refusal. */
export type AuthorityProfile = Awaited<ReturnType<typeof store.listProfiles>>[number];

/** The authorities of devices, the newest first. */
export function listAuthorityProfiles(ctx: Pick<Ctx, "db" | "namespaceId">): Promise<AuthorityProfile[]> {
  return store.listProfiles(ctx.db, ctx.namespaceId);
}

/** How many days a request at each authority waits before it lapses. */
export function listWaitingDays(ctx: Pick<Ctx, "db" | "namespaceId">): Promise<{ id: string; waitingDays: number }[]> {
  return store.listWaitingDays(ctx.db, ctx.namespaceId);
}

/** How many days a certificate that this authority's newer one replaced stays good. */
export async function findGraceDays(
  tx: Tx,
  ctx: Pick<Ctx, "namespaceId">,
  authorityId: string | null,
): Promise<number> {
  if (authorityId === null) return 0;
  return (await store.findGraceDays(tx, ctx.namespaceId, authorityId)) ?? 0;
}

/**
 * Makes sure that an authority is in one of these states, and stays so until the transaction ends: what was decided before it, about a
 * newcomer or something to issue, may be late.
 *
 * @throws AppError `authority.wrong_state`
 */
export async function assertAuthorityIs(
  tx: Tx,
  ctx: Pick<Ctx, "namespaceId">,
  of: { id: string; states: readonly KnownAuthority["state"][] },
): Promise<void> {
  if (await store.holdState(tx, ctx.namespaceId, of)) return;
  throw new AppError("authority.wrong_state", `The authority is not ${of.states.join(" or ")} any more.`);
}

/** How many newcomers an authority may have in an hour; null: any number. */
export async function findNewcomerRate(
  ctx: Pick<Ctx, "db" | "namespaceId">,
  authorityId: string,
): Promise<{ readonly authorityId: string; readonly newcomersPerHour: number | null }> {
  return { authorityId, newcomersPerHour: await store.findNewcomersPerHour(ctx.db, ctx.namespaceId, authorityId) };
}

async function ensureIssuingCa(ctx: Ctx, kind: keyof typeof ISSUING): Promise<void> {
  if (await store.hasIssuing(ctx.db, ctx.namespaceId, kind)) return;
  await ctx.db.$transaction(async (tx) => {
    await lockInTransaction(tx, `authorities:${ctx.namespaceId}`);
    if (await store.hasIssuing(tx, ctx.namespaceId, kind)) return;
    const id = randomUUID();
    const { name, create } = ISSUING[kind];
    const made = await create({ commonName: `${name} ${id.slice(0, 8)}`, now: ctx.clock() });
    await store.insertAuthority(tx, ctx.namespaceId, {
      id,
      kind,
      name,
      certificate: made.certificate,
      sealedKey: ctx.keys.seal(Buffer.from(made.privateKeyPem), purposeOf(id)),
      createdAt: ctx.clock(),
    });
    await record(tx, ctx, SYSTEM, {
      action: "authority.create",
      target: { kind: "authority", id, name },
      after: { fingerprint: made.certificate.fingerprint, notAfter: made.certificate.notAfter.toISOString() },
    });
  });
}

const ISSUING = {
  fleet: { name: "Gatehouse fleet CA", create: createFleetCa },
  bootstrap: { name: BOOTSTRAP_CA_NAME, create: createBootstrapCa },
} as const;

/** A state this version does not know admits nobody. */
function stateOf(state: string): KnownAuthority["state"] {
  return state === "open" || state === "closed" ? state : "revoked";
}

/** A rule this version does not know finds no device in any certificate: its template holds no id. */
function deviceIdRuleOf(row: { deviceIdField: string; deviceIdTemplate: string; deviceIdForm: string }): DeviceIdRule {
  const field = DEVICE_ID_FIELDS.find((known) => known === row.deviceIdField);
  const form = DEVICE_ID_FORMS.find((known) => known === row.deviceIdForm);
  if (field === undefined || form === undefined) return { field: "cn", template: "", form: "uuid" };
  return { field, template: row.deviceIdTemplate, form };
}

/** A policy this version does not know asks a person. */
function policyOf(policy: string): AdmissionPolicy {
  return policy === "allowlist" || policy === "allow_all" ? policy : "ask";
}
