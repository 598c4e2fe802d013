import type { Ctx } from "#lib/ctx.ts";
import { type KeyPair, serverKeyId } from "#lib/uptane/keys.ts";
import type { RootRoleName } from "#lib/uptane/next-root.ts";
import type { KeyRow, PrivateKeyRow } from "./store.ts";

/** A new key as it is stored: the private part sealed under the master key and bound to its row. */
export function sealedRow(
  ctx: { readonly keys: Ctx["keys"] },
  of: { repoId: string; role: RootRoleName; pair: KeyPair },
): KeyRow {
  const { repoId, role, pair } = of;
  const { keytype: keyType, keyval } = pair.publicKey;
  const keyId = serverKeyId(pair.publicKey);
  const sealedPrivate = ctx.keys.seal(Buffer.from(pair.privateKey, "utf8"), purposeOf(repoId, role, keyId));
  return { repoId, role, keyId, keyType, publicValue: keyval.public, sealedPrivate };
}

/** @throws AppError `keys.unsealable` */
export function openPrivate(ctx: { readonly keys: Ctx["keys"] }, repoId: string, row: PrivateKeyRow): string {
  return ctx.keys.open(row.sealedPrivate, purposeOf(repoId, row.role, row.keyId)).toString("utf8");
}

function purposeOf(repoId: string, role: string, keyId: string): string {
  return `tuf-key:${repoId}:${role}:${keyId}`;
}
