import type { Ctx } from "#lib/ctx.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import {
  type CrlContent,
  deltaOf,
  plainSerial,
  type RevokedEntry,
  readCrl,
  saysTheSame,
  signCrl,
} from "#lib/pki/crl.ts";
import {
  getRevokingAuthority,
  listRevokingAuthorities,
  type RevokingAuthority,
} from "#services/authorities/service.ts";
import { fallOf } from "./standing.ts";
import * as store from "./store.ts";

const DAY_MS = 86_400_000;
/** How long a complete list is good. It is made anew daily, so that one which cannot be made for days does no harm. */
const FULL_VALID_MS = 7 * DAY_MS;
const DELTA_VALID_MS = 2 * DAY_MS;
const RENEW_AFTER_MS = DAY_MS;
/** The worker looks hourly. A list that is older has nobody who makes it, so whoever asks for it has it made; not more often than this. */
const OVERDUE_AFTER_MS = RENEW_AFTER_MS + 2 * 3_600_000;
const TRY_AGAIN_MS = 60_000;
/** Lists beyond one of these have a delta, too. */
export const LARGE_LIST = { entries: 1_000, bytes: 64 * 1_024 } as const;

/** A revocation list as it is published. */
export type PublishedCrl = { readonly der: Buffer; readonly thisUpdate: Date; readonly nextUpdate: Date };

/** Where an authority publishes what it revoked, as it stands in the certificates that it signs. */
export function crlUrlOf(ctx: Pick<Ctx, "config">, authorityId: string, kind: store.CrlKind = "full"): string {
  return `${ctx.config.pkiUrl}/${authorityId}${kind === "delta" ? "-delta" : ""}.crl`;
}

/**
 * The list in force, made when there is none yet, and anew when it is overdue.
 *
 * @throws AppError `authority.not_found` (unknown, its key is not here, or it has no delta) | `keys.unsealable`
 */
export async function getCrl(ctx: Ctx, authorityId: string, kind: store.CrlKind): Promise<PublishedCrl> {
  const authority = await getRevokingAuthority(ctx, authorityId);
  if (!authority.hasKey) {
    throw new AppError(
      "authority.not_found",
      "This install only recognises this authority and does not have its key: whoever runs the authority publishes its list.",
    );
  }
  if (await isOverdue(ctx, authority)) await publishOverdue(ctx, authority);
  const stored = await store.findCrl(ctx.db, authorityId, kind);
  if (stored === null && kind === "full") {
    await publishCrl(ctx, authority);
    return getCrl(ctx, authorityId, kind);
  }
  if (stored === null) {
    throw new AppError(
      "authority.not_found",
      "The complete list of this authority is short, so that there is no delta.",
    );
  }
  return { der: Buffer.from(stored.der), thisUpdate: stored.thisUpdate, nextUpdate: stored.nextUpdate };
}

async function isOverdue(ctx: Ctx, { id, notAfter }: RevokingAuthority): Promise<boolean> {
  const now = ctx.clock();
  const newest = await store.findThisUpdate(ctx.db, id);
  return newest !== null && now < notAfter && now.getTime() - newest.getTime() >= OVERDUE_AFTER_MS;
}

/** This process's last try to make a list that was overdue: strangers ask, and each try reads all that was revoked. */
const tries = new Map<string, { readonly at: number; readonly done: Promise<void> }>();

function publishOverdue(ctx: Ctx, authority: RevokingAuthority): Promise<void> {
  const at = ctx.clock().getTime();
  const last = tries.get(authority.id);
  if (last !== undefined && at - last.at < TRY_AGAIN_MS) return last.done;
  const done = tryToPublish(ctx, authority);
  tries.set(authority.id, { at, done });
  return done;
}

async function tryToPublish(ctx: Ctx, authority: RevokingAuthority): Promise<void> {
  ctx.log.warn({ authorityId: authority.id }, "a revocation list is overdue: is a worker running?");
  try {
    await publishCrl(ctx, authority);
  } catch (err) {
    // The old one is good for days yet, and better than none.
    ctx.log.error({ err, authorityId: authority.id }, "a revocation list can't be made");
  }
}

/**
 * Makes the lists anew of every authority whose certificates changed, or whose list is a day old. Any number of processes may
 * call it at once; each number is given to one list.
 *
 * @param fingerprints certificates that changed; null: look at every authority
 * @returns how many authorities have a new list
 */
export async function publishCrls(ctx: Ctx, fingerprints: readonly string[] | null): Promise<number> {
  const touched =
    fingerprints === null ? null : new Set(await store.listAuthoritiesOf(ctx.db, ctx.namespaceId, fingerprints));
  if (touched?.size === 0) return 0;
  const authorities = await listRevokingAuthorities(ctx);
  let published = 0;
  for (const authority of authorities) {
    if (touched !== null && !touched.has(authority.id)) continue;
    try {
      if (await publishCrl(ctx, authority)) published += 1;
    } catch (err) {
      // One key that does not open must not keep the others' lists from being made.
      ctx.log.error({ err, authorityId: authority.id }, "a revocation list can't be made");
    }
  }
  return published;
}

/** @returns false when the list in force still says what holds, and is young */
export async function publishCrl(ctx: Ctx, authority: RevokingAuthority): Promise<boolean> {
  return ctx.db.$transaction(
    async (tx) => {
      await lockInTransaction(tx, `crl:${authority.id}`);
      const now = wholeSecond(ctx.clock());
      const last = await store.findCrl(tx, authority.id, "full");
      const entries = await readEntries(tx, ctx, authority, now);
      const isYoung = last !== null && now.getTime() - last.thisUpdate.getTime() < RENEW_AFTER_MS;
      // An expired authority's last list stays as it is: nobody believes a new one.
      if (last !== null && (authority.notAfter <= now || (isYoung && saysTheSame(readCrl(bytes(last)), entries)))) {
        return false;
      }
      const number = (last?.number ?? 0n) + 1n;
      await sign(tx, ctx, { authority, entries, now, number, last });
      return true;
    },
    { timeout: 60_000 },
  );
}

type Order = {
  authority: RevokingAuthority;
  entries: RevokedEntry[];
  now: Date;
  number: bigint;
  last: store.CrlRow | null;
};

async function sign(tx: Tx, ctx: Ctx, { authority, entries, now, number, last }: Order): Promise<void> {
  const ca = authority.open();
  const authorityId = authority.id;
  const common = { ca, number, thisUpdate: now };
  const nextUpdate = new Date(now.getTime() + FULL_VALID_MS);
  const plain = signCrl({ ...common, nextUpdate, entries });
  const isLarge = entries.length > LARGE_LIST.entries || plain.length > LARGE_LIST.bytes;
  const delta = isLarge && last !== null ? await findDelta(tx, authorityId, { entries, last, now }) : null;
  const deltaUrl = crlUrlOf(ctx, authorityId, "delta");
  const full = delta === null ? plain : signCrl({ ...common, nextUpdate, entries, deltaUrl });
  const row = { authorityId, number, thisUpdate: now, createdAt: ctx.clock() };
  await store.insertCrl(tx, { ...row, kind: "full", baseNumber: null, der: full, nextUpdate });
  if (delta !== null) {
    const { baseNumber, changes } = delta;
    const deltaUntil = new Date(now.getTime() + DELTA_VALID_MS);
    const der = signCrl({ ...common, nextUpdate: deltaUntil, entries: changes, baseNumber });
    await store.insertCrl(tx, { ...row, kind: "delta", baseNumber, der, nextUpdate: deltaUntil });
  }
  await store.dropOldCrls(tx, authorityId, { number, baseNumber: delta?.baseNumber ?? null });
}

/**
 * A delta keeps its base as long as that is good, so that whoever holds any complete list since can use it. Then, or when it has
 * grown to half of the complete list, the last complete list takes its place.
 */
async function findDelta(
  tx: Tx,
  authorityId: string,
  { entries, last, now }: { entries: readonly RevokedEntry[]; last: store.CrlRow; now: Date },
): Promise<{ baseNumber: bigint; changes: RevokedEntry[] } | null> {
  const attempt = (base: CrlContent, earlier: CrlContent | null) => {
    const changes = deltaOf(base, entries, { at: now, earlier });
    return changes.length * 2 > entries.length ? null : { baseNumber: base.number, changes };
  };
  const delta = await store.findCrl(tx, authorityId, "delta");
  if (delta?.baseNumber != null && delta.number === last.number) {
    const base = await store.findFullCrl(tx, authorityId, delta.baseNumber);
    const kept = base === null || base.nextUpdate <= now ? null : attempt(readCrl(bytes(base)), readCrl(bytes(delta)));
    if (kept !== null) return kept;
  }
  return attempt(readCrl(bytes(last)), null);
}

/** Revoked ones that expired stay for as long as a complete list is good, so that each is in one after its end (RFC 5280 section 3.3). */
async function readEntries(tx: Tx, ctx: Ctx, authority: RevokingAuthority, now: Date): Promise<RevokedEntry[]> {
  const rows = await store.listFallen(tx, ctx.namespaceId, {
    authorityId: authority.id,
    now,
    expiredAfter: new Date(now.getTime() - FULL_VALID_MS),
    all: authority.revoked !== null,
  });
  const entries = new Map<string, RevokedEntry>();
  for (const row of rows) {
    const fall = fallOf(row, authority);
    if (fall !== null) entries.set(plainSerial(row.serialHex), { serialHex: row.serialHex, ...fall });
  }
  return [...entries.values()];
}

function bytes(row: store.CrlRow): Buffer {
  return Buffer.from(row.der);
}

function wholeSecond(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1_000) * 1_000);
}
