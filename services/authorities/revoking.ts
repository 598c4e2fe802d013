import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { IssuingCa } from "#lib/pki/issue.ts";
import { openStored } from "./authorities.ts";
import * as store from "./store-revoking.ts";

/** An authority as those see it who publish what it revoked. */
export type RevokingAuthority = {
  readonly id: string;
  readonly name: string;
  readonly certificateDer: Buffer;
  readonly notAfter: Date;
  /** Since when, and why, nothing that it signed counts; null while it does. */
  readonly revoked: { readonly at: Date; readonly reason: string } | null;
  /** False: it is only recognised here, and publishes where it was made. */
  readonly hasKey: boolean;
  /** @throws AppError `keys.unsealable` | `internal.unavailable` (no key) */
  open(): IssuingCa;
};

/** The devices' authorities that sign here what they revoked: open, closed and revoked ones alike. */
export async function listRevokingAuthorities(ctx: Ctx): Promise<RevokingAuthority[]> {
  return (await store.listRevoking(ctx.db, ctx.namespaceId)).map((row) => toRevoking(ctx, row));
}

/** The devices' authorities whose certificates count no more, with the reason that was given. */
export async function listRevokedAuthorities(ctx: Ctx): Promise<{ id: string; reason: string }[]> {
  const rows = await store.listRevoked(ctx.db, ctx.namespaceId);
  return rows.map(({ id, reason }) => ({ id, reason: reason ?? "unspecified" }));
}

/** @throws AppError `authority.not_found` */
export async function getRevokingAuthority(ctx: Ctx, id: string): Promise<RevokingAuthority> {
  const row = await store.findRevoking(ctx.db, ctx.namespaceId, id);
  if (row === null) throw new AppError("authority.not_found", "There is no authority of this id.");
  return toRevoking(ctx, row);
}

function toRevoking(ctx: Ctx, row: store.RevokingRow): RevokingAuthority {
  const { id, name, certificate, sealedKey, notAfter } = row;
  const counts = row.state === "open" || row.state === "closed";
  return {
    id,
    name,
    certificateDer: Buffer.from(certificate),
    notAfter,
    revoked: counts ? null : { at: row.stateChangedAt ?? notAfter, reason: row.revocationReason ?? "unspecified" },
    hasKey: sealedKey !== null,
    open() {
      if (sealedKey === null) throw new AppError("internal.unavailable", "This install does not have the key.");
      return openStored(ctx, { id, certificate, sealedKey });
    },
  };
}
