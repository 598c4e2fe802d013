import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { Page } from "#lib/contracts/console/common.ts";
import type { ListMenderLog, MenderLogEntry, MenderOutcome } from "#lib/contracts/console/mender.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { Tx } from "#lib/db/client.ts";
import { storableText } from "#lib/domain/storable-text.ts";
import * as store from "./store-log.ts";

const IDENTITY_CHARACTERS = 500;

export type Attempt = {
  readonly fingerprint: string;
  readonly deviceUuid: string;
  /** Empty when the key was not the certificate's: then it is anything the device liked to send. */
  readonly keySha256: string;
  /** As the device gave it. */
  readonly identityText: string;
};

/** Writes what came of an attempt. A repeated one is counted, so that a device that asks every minute does not push the others out. */
export async function logOutcome(
  ctx: Ctx,
  attempt: Attempt,
  result: { outcome: MenderOutcome; menderDeviceId?: string | null; detail?: string; tx?: Tx },
): Promise<void> {
  const { outcome, detail, menderDeviceId = null, tx = ctx.db } = result;
  await store.addEntry(tx, ctx.namespaceId, {
    fingerprint: attempt.fingerprint,
    deviceUuid: attempt.deviceUuid,
    keySha256: attempt.keySha256,
    identity: storableText(attempt.identityText, IDENTITY_CHARACTERS),
    outcome,
    sentence: storableText(detail === undefined ? SENTENCES[outcome] : `${SENTENCES[outcome]} ${detail}`, 1_000),
    menderDeviceId,
    at: ctx.clock(),
  });
}

/** Newest first. @throws AppError `auth.forbidden` | `request.invalid` (a cursor that is not of this list) */
export async function listMenderLog(ctx: Ctx, actor: Actor, query: ListMenderLog): Promise<Page<MenderLogEntry>> {
  requirePermission(actor, "certificate.read");
  return store.listEntries(ctx.db, ctx.namespaceId, query);
}

/** Forgets what is beyond the newest of the namespace. */
export async function pruneMenderLog(ctx: Ctx): Promise<void> {
  await store.capEntries(ctx.db, ctx.namespaceId);
}

const SENTENCES = {
  preauthorized: "Made known to the Mender server with this key before the device asked.",
  already_known: "The Mender server knows this identity with this key and lets it in.",
  accepted: "It was pending at the Mender server; its certificate vouches for it, so it was accepted.",
  rotated: "The device came with this identity before; its new key was preauthorized.",
  rotation_waits:
    "The device came with this identity before; the server is older than 4.0, so its new key is accepted once it has asked.",
  rotation_off:
    "The Mender server knows this identity with another key, and MENDER_FORCE is off: a person decides there.",
  rotation_unproven:
    "The Mender server knows this identity with another key, and no certificate has come with it yet: a person decides there.",
  identity_of_another:
    "Another device's certificate came with this identity before: a person decides at the Mender server.",
  rejected_in_mender: "This key was rejected at the Mender server; that decision stands.",
  limit_reached: "The Mender server has as many devices as it may have.",
  key_mismatch:
    "The device asked with another key than its certificate's (MENDER_KEY_MATCH=strict). It was refused here.",
  bad_signature: "The request's signature does not fit its key. It was refused here.",
  token_of_another:
    "The device sent a token of the Mender server that another device of ours got. It was refused here, and may authenticate itself.",
  forbidden: "The Mender user lacks a permission; the request was passed on without preauthorization.",
  sign_in_refused: "The Mender server refuses our token or user; the request was passed on without preauthorization.",
  unavailable: "The management API did not answer in time; the request was passed on without preauthorization.",
  refused: "The Mender server refused to preauthorize; the request was passed on.",
  revocation_rejected: "The certificate was revoked here, so its key was rejected at the Mender server.",
  revocation_found: "The certificate was revoked here; its key was rejected or removed at the Mender server already.",
  revocation_waits:
    "The certificate was revoked here; its key can't be rejected at the Mender server before it is accepted or pending there.",
} as const satisfies Record<MenderOutcome, string>;
