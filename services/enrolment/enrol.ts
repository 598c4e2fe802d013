import { hashSecretText } from "#lib/auth/secret-text.ts";
import type { Actor } from "#lib/authz/actor.ts";
import type { Ctx } from "#lib/ctx.ts";
import type { DbOrTx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { CANONICAL_UUID } from "#lib/pki/device-id.ts";
import type { IssuedCertificate } from "#lib/pki/issue.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { assertAuthorityIs, openIssuer } from "#services/authorities/service.ts";
import { findDeviceByOemId } from "#services/fleet/service.ts";
import {
  hadItsNewcomers,
  type IdentityCtx,
  isDeviceNamed,
  joinGroup,
  listOfKey,
  lockDevice,
  recordFirst,
  registerDevice,
  takeNewcomer,
  unregisterDevice,
} from "#services/identity/service.ts";
import { refuseByAddress, refuseByRate, refuseByRules } from "./newcomers.ts";
import { askedBy, because, ofKey } from "./refusal-detail.ts";
import { type EnrolmentAnswer, type EnrolmentRefusal, refuse } from "./refusals.ts";
import { isLive, isTurnedAway, type Order, readOrder, sign, uuidOfKey } from "./request.ts";
import * as store from "./store.ts";
import { policyOf, stateOf } from "./tokens.ts";

/** A token that is known and in force; whether uses are left is asked when it is used. */
export type UsableToken = { readonly token: store.TokenRow };

/** Finds the token of a secret. Costs the database nothing when the text can't be one. */
export async function judgeToken(
  ctx: Ctx,
  secret: string,
): Promise<UsableToken | { readonly refusal: EnrolmentRefusal }> {
  if (!SECRET.test(secret)) return refuse("token_unknown");
  const secretHash = Buffer.from(hashSecretText(secret)).toString("hex");
  const token = await store.findToken(ctx.db, ctx.namespaceId, { secretHash });
  if (token === null) return refuse("token_unknown");
  const state = stateOf(token, ctx.clock());
  return state === "active" || state === "exhausted" ? { token } : refuseToken(token, state);
}

/** Says to people which token it was, and since when it is no good. */
function refuseToken(
  token: store.TokenRow,
  state: "not_yet_valid" | "expired" | "exhausted" | "revoked",
): { refusal: EnrolmentRefusal } {
  const day = (at: Date | null) => at?.toISOString().slice(0, 10) ?? "some day";
  const since = {
    not_yet_valid: `is valid from ${day(token.validFrom)}`,
    expired: `was valid until ${day(token.validUntil)}`,
    exhausted: `was good for ${token.usesAllowed}`,
    revoked: `was revoked by ${token.revokedBy ?? "somebody"} on ${day(token.revokedAt)}`,
  };
  const { refusal } = refuse(`token_${state}`);
  return {
    refusal: { ...refusal, detail: `The token “${token.description}”, made by ${token.createdBy}, ${since[state]}.` },
  };
}

const SECRET = /^ght_[A-Za-z0-9_-]{43}$/;

/**
 * A device's first certificate. The device gets its UUID from its key and a row in the registry; the certificate is allowed or waits as the
 * token says; one use is counted in the transaction that records it.
 *
 * Asking again with the same key, after a lost reply, gives the same certificate and costs no use, even when it was the last one.
 *
 * The rules that the authority has for newcomers hold here as at the door, asked of the certificate that the device would get.
 *
 * @param asked.wish what the client calls itself; without it the request's common name, or else the UUID
 * @throws AppError `backend.*` (the registry) | `keys.unsealable`
 * @see RFC 7030 section 4.2.1
 */
export async function enrolDevice(ctx: IdentityCtx, usable: UsableToken, asked: Asked): Promise<EnrolmentAnswer> {
  const { description, createdBy } = usable.token;
  const answer = await enrol(ctx, usable, asked);
  if ("refusal" in answer && answer.refusal.code === "token_exhausted") return answer;
  const as = wishedId(asked.wish);
  const who = as === null ? "" : ` by what calls itself “${as}”`;
  return askedBy(answer, `Asked${who} with the token “${description}”, made by ${createdBy}.`);
}

type Asked = { body: Uint8Array; label: string | null; wish: string | null; address: string };

async function enrol(ctx: IdentityCtx, { token }: UsableToken, asked: Asked): Promise<EnrolmentAnswer> {
  const issuer = await openIssuer(ctx, token.authorityId ?? undefined);
  const elsewhere = refuseByAddress(issuer, asked.address);
  if (elsewhere !== null) return elsewhere;
  const order = readOrder({ ...asked, issuer });
  if ("refusal" in order) return order;
  const { request } = order;
  const deviceUuid = uuidOfKey(ctx.namespaceId, request.spkiSha256);
  const known = await findOfKey(ctx, ctx.db, { deviceUuid, spkiSha256: request.spkiSha256 });
  if (known !== null) return known;
  if (token.usesLeft <= 0) return refuseToken(token, "exhausted");
  const deviceId = wishedId(asked.wish) ?? wishedId(request.commonName) ?? deviceUuid;
  // Looked up first, so that a client which asks every few seconds leaves no trail of audit entries.
  if (await isTaken(ctx, deviceId, deviceUuid)) return taken(deviceId);
  return make(ctx, order, { token, deviceUuid, deviceId: unlessUuid(deviceId, deviceUuid) });
}

type Newcomer = { token: store.TokenRow; deviceUuid: string; deviceId: string };

async function make(ctx: IdentityCtx, order: Order, newcomer: Newcomer): Promise<EnrolmentAnswer> {
  const { token, deviceUuid, deviceId } = newcomer;
  const days = Math.min(token.certificateDays ?? order.issuer.certificateDays, order.issuer.certificateDays);
  const signed = await sign(ctx, order, { uuid: deviceUuid, days });
  const unfit = refuseByRules(order.issuer, signed.certificate);
  if (unfit !== null) return unfit;
  const rate = { authorityId: order.issuer.authorityId, newcomersPerHour: order.issuer.newcomers.newcomersPerHour };
  if (await hadItsNewcomers(ctx, rate)) return refuseByRate(order.issuer);
  const actor: Actor = { kind: "system", name: `enrolment token ${token.description}` };
  const entry = {
    action: "certificate.issue" as const,
    target: { kind: "device" as const, id: deviceUuid, name: deviceId },
    after: { enrolmentToken: token.id, policy: policyOf(token) },
  };
  try {
    return await auditBackendChange(ctx, { actor, entry }, async (finish) => {
      await registerDevice(ctx, { uuid: deviceUuid, deviceId });
      const joined = await joinGroup(ctx, token.groupId, deviceUuid);
      return ctx.db.$transaction(async (tx) => {
        await lockDevice(tx, ctx, deviceUuid);
        const known = await findOfKey(ctx, tx, { deviceUuid, spkiSha256: order.request.spkiSha256 });
        if (known !== null) {
          await finish(tx, { repeated: true });
          return known;
        }
        await takeNewcomer(tx, ctx, rate);
        await assertAuthorityIs(tx, ctx, { id: rate.authorityId, states: ["open"] });
        if (!(await store.takeUse(tx, ctx.namespaceId, { id: token.id, at: ctx.clock() }))) throw usedUp();
        await recordFirst(tx, ctx, actor, firstOf(order, newcomer, signed));
        const { fingerprint, serialHex } = signed.certificate;
        await finish(tx, { fingerprint, serial: serialHex, ...(joined ? {} : { failure: "group" }) });
        return { certificateDer: signed.certificate.der };
      });
    });
  } catch (error) {
    if (isAppError(error, "device.conflict")) return taken(deviceId);
    const refusal = refusalOf(error, { token, issuer: order.issuer });
    if (refusal === null) throw error;
    // Its id must stay free. Another request with the same key and another token may have got through meanwhile.
    if (!(await isDeviceNamed(ctx.db, ctx.namespaceId, deviceUuid))) await unregisterDevice(ctx, deviceUuid);
    return refusal;
  }
}

/** What became true while the registry was told; null for what is no refusal. */
function refusalOf(error: unknown, { token, issuer }: { token: store.TokenRow; issuer: Order["issuer"] }) {
  if (isAppError(error, "authority.too_many_newcomers")) return refuseByRate(issuer);
  if (isAppError(error, "authority.wrong_state")) return refuse("no_issuing_authority");
  return isAppError(error, "enrolment_token.used_up") ? refuseToken(token, "exhausted") : null;
}

function firstOf({ issuer }: Order, { token, deviceUuid, deviceId }: Newcomer, signed: IssuedCertificate) {
  return {
    certificate: signed.certificate,
    authorityId: issuer.authorityId,
    deviceUuid,
    deviceId,
    hardwareId: token.hardwareId,
    state: policyOf(token),
    note: `Enrolled with the token ${token.description}`,
    enrolledWith: token.id,
  };
}

/** What is known of the key already: its certificate again, or why there is none for it; null for a new key. */
async function findOfKey(
  ctx: Ctx,
  db: DbOrTx,
  key: { deviceUuid: string; spkiSha256: string },
): Promise<EnrolmentAnswer | null> {
  const rows = await listOfKey(db, ctx.namespaceId, key.spkiSha256);
  const turnedAway = rows.find(isTurnedAway);
  if (turnedAway !== undefined) return because(refuse("key_refused"), ofKey(turnedAway));
  const now = ctx.clock();
  const own = rows.find((row) => row.issuedHere && row.deviceUuid === key.deviceUuid && isLive(row, now));
  if (own?.certificate) return { certificateDer: Buffer.from(own.certificate) };
  const [newest] = rows;
  return newest === undefined ? null : because(refuse("key_known"), ofKey(newest));
}

function taken(deviceId: string): EnrolmentAnswer {
  return because(refuse("device_already_registered"), `Another device is registered as “${deviceId}”.`);
}

/** One line of text, as the registry takes it. */
function wishedId(text: string | null): string | null {
  const id = text?.trim() ?? "";
  return /^[^\p{C}\ufffd]{1,200}$/u.test(id) ? id : null;
}

/** A UUID is nobody's to choose: whoever calls itself by one gets its own. */
function unlessUuid(deviceId: string, deviceUuid: string): string {
  return CANONICAL_UUID.test(deviceId.toLowerCase()) ? deviceUuid : deviceId;
}

async function isTaken(ctx: Ctx, deviceId: string, deviceUuid: string): Promise<boolean> {
  const owner = await findDeviceByOemId(ctx.db, ctx.namespaceId, deviceId);
  if (owner !== null) return owner !== deviceUuid;
  const uuid = deviceId.toLowerCase();
  return CANONICAL_UUID.test(uuid) && uuid !== deviceUuid && isDeviceNamed(ctx.db, ctx.namespaceId, uuid);
}

function usedUp(): AppError {
  return new AppError("enrolment_token.used_up", "This enrolment token can't be used any more.");
}
