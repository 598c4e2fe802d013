import { randomBytes, randomUUID } from "node:crypto";
import { MACHINE_SECRET_PREFIX, newSecretText } from "#lib/auth/secret-text.ts";
import type { Actor } from "#lib/authz/actor.ts";
import { requirePermission } from "#lib/authz/actor.ts";
import { TOOL_SCOPES, type ToolScope } from "#lib/authz/tool-scopes.ts";
import type { ListQuery, Page } from "#lib/contracts/console/common.ts";
import type { CreateMachineClient, MachineClient } from "#lib/contracts/console/machine-clients.ts";
import type { Ctx } from "#lib/ctx.ts";
import { isUniqueViolation } from "#lib/db/client.ts";
import { MACHINE_CLIENT_CHANNEL, notify, publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { record } from "#services/audit/service.ts";
import type { MachineClientRow } from "./store-machine-clients.ts";
import * as store from "./store-machine-clients.ts";

const DAY_MS = 86_400_000;

/** A machine client with its secret, which is nowhere else: only its SHA-256 is kept. */
export type MachineClientMade = MachineClient & { clientSecret: string };

/** @throws AppError `auth.forbidden` | `request.invalid` (cursor) */
export async function listMachineClients(ctx: Ctx, actor: Actor, query: ListQuery): Promise<Page<MachineClient>> {
  requirePermission(actor, "token.manage");
  return store.listMachineClients(ctx.db, ctx.namespaceId, query);
}

/**
 * Makes the credentials of a build tool: OAuth2 client id and secret, and a TLS client certificate when one is given.
 *
 * @throws AppError `auth.forbidden` | `pki.malformed` | `request.too_large` (the certificate) |
 *   `machine_client.certificate_taken` (also by a revoked client: what was revoked does not come back)
 * @see RFC 6749 section 2.3.1; docs/contracts/gateway.md section 6
 */
export async function createMachineClient(
  ctx: Ctx,
  actor: Actor,
  input: CreateMachineClient,
): Promise<MachineClientMade> {
  const { name, scopes, certificatePem, expiresInDays, sourceNetworks } = input;
  const expiresAt = expiresInDays === undefined ? null : new Date(ctx.clock().getTime() + expiresInDays * DAY_MS);
  return createMachineClientUntil(ctx, actor, { name, scopes, certificatePem, sourceNetworks, expiresAt });
}

/** The same with an exact end, as the command line and the maker of credentials.zip want it. */
export async function createMachineClientUntil(
  ctx: Ctx,
  actor: Actor,
  input: {
    name: string;
    scopes: readonly ToolScope[];
    certificatePem?: string | undefined;
    sourceNetworks?: readonly string[] | undefined;
    expiresAt: Date | null;
  },
): Promise<MachineClientMade> {
  requirePermission(actor, "token.manage");
  const id = randomUUID();
  const clientId = `gatehouse-${randomBytes(12).toString("hex")}`;
  const secret = newSecretText(MACHINE_SECRET_PREFIX);
  const certificateFingerprint =
    input.certificatePem === undefined ? null : parseCertificate(input.certificatePem).fingerprint;
  const client = {
    id,
    name: input.name,
    clientId,
    secretHash: secret.hash,
    scopes: TOOL_SCOPES.filter((scope) => input.scopes.includes(scope)),
    certificateFingerprint,
    sourceNetworks: [...new Set(input.sourceNetworks ?? [])],
    createdAt: ctx.clock(),
    createdBy: actor.name,
    expiresAt: input.expiresAt,
  };
  try {
    await ctx.db.$transaction(async (tx) => {
      await store.insertMachineClient(tx, ctx.namespaceId, client);
      await announce(tx, ctx, client);
      await record(tx, ctx, actor, {
        action: "machine_client.create",
        target: { kind: "machine_client", id, name: input.name },
        after: {
          clientId,
          scopes: client.scopes,
          certificateFingerprint,
          sourceNetworks: client.sourceNetworks,
          expiresAt: input.expiresAt?.toISOString() ?? null,
        },
      });
    });
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    throw new AppError("machine_client.certificate_taken", "Another machine client has this certificate.", { cause });
  }
  return { ...(await getDto(ctx, id)), clientSecret: secret.text };
}

/**
 * At once: every gateway forgets the client and refuses the access tokens it still holds.
 *
 * @throws AppError `auth.forbidden` | `machine_client.not_found`
 */
export async function revokeMachineClient(ctx: Ctx, actor: Actor, id: string): Promise<MachineClient> {
  requirePermission(actor, "token.manage");
  await ctx.db.$transaction(async (tx) => {
    const found = await store.findMachineClient(tx, ctx.namespaceId, id);
    if (found === null) throw notFound();
    if (!(await store.revokeMachineClient(tx, ctx.namespaceId, id, ctx.clock()))) return;
    await announce(tx, ctx, found);
    await record(tx, ctx, actor, {
      action: "machine_client.revoke",
      target: { kind: "machine_client", id, name: found.name },
      before: { clientId: found.clientId, scopes: found.scopes },
    });
  });
  return getDto(ctx, id);
}

/**
 * For the tools door: the client as the database has it, also when it no longer counts. Any namespace.
 *
 * @returns null when there is none
 */
export function findMachineCredential(
  ctx: Ctx,
  by: { clientId: string } | { certificateFingerprint: string },
): Promise<MachineClientRow | null> {
  return store.findCredential(ctx.db, by);
}

/** For the tools door: these clients have just been used. */
export function recordMachineClientUse(ctx: Ctx, ids: readonly string[]): Promise<void> {
  return store.touchMachineClients(ctx.db, ids, ctx.clock());
}

async function announce(
  tx: Parameters<typeof publishEvent>[0],
  ctx: Ctx,
  client: { id: string; clientId: string },
): Promise<void> {
  await notify(tx, MACHINE_CLIENT_CHANNEL, client.clientId);
  await publishEvent(tx, ctx.namespaceId, { topic: "account", subjectId: client.id });
}

async function getDto(ctx: Ctx, id: string): Promise<MachineClient> {
  const found = await store.findMachineClient(ctx.db, ctx.namespaceId, id);
  if (found === null) throw notFound();
  return found;
}

function notFound(): AppError {
  return new AppError("machine_client.not_found", "There is no such machine client.");
}
