import type { DbOrTx } from "#lib/db/client.ts";

export type TokenRow = {
  readonly account: string;
  readonly sealedToken: Uint8Array | null;
  readonly obtainedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly failures: number;
  readonly retryAt: Date | null;
};

export async function findToken(db: DbOrTx, namespaceId: string): Promise<TokenRow | null> {
  return db.menderToken.findUnique({
    where: { namespaceId },
    select: { account: true, sealedToken: true, obtainedAt: true, expiresAt: true, failures: true, retryAt: true },
  });
}

export async function saveToken(
  db: DbOrTx,
  namespaceId: string,
  token: { account: string; sealedToken: Uint8Array<ArrayBuffer>; obtainedAt: Date; expiresAt: Date | null },
): Promise<void> {
  const row = { ...token, failures: 0, retryAt: null };
  await db.menderToken.upsert({ where: { namespaceId }, create: { namespaceId, ...row }, update: row });
}

/** Keeps a token of the same account, which may still count. */
export async function saveFailure(
  db: DbOrTx,
  namespaceId: string,
  failure: { account: string; failures: number; retryAt: Date },
): Promise<void> {
  const { account, ...row } = failure;
  const { count } = await db.menderToken.updateMany({ where: { namespaceId, account }, data: row });
  if (count > 0) return;
  const other = { ...failure, sealedToken: null, obtainedAt: null, expiresAt: null };
  await db.menderToken.upsert({ where: { namespaceId }, create: { namespaceId, ...other }, update: other });
}
