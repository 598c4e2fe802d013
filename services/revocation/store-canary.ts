import type { DbOrTx } from "#lib/db/client.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";

/** Flagged, so that no list, count or log has it. */
export async function insertCanary(
  db: DbOrTx,
  namespaceId: string,
  row: { facts: CertificateFacts; deviceUuid: string; authorityId: string; createdAt: Date },
): Promise<void> {
  const { facts, deviceUuid, authorityId, createdAt } = row;
  await db.deviceCertificate.create({
    data: {
      namespaceId,
      fingerprint: facts.fingerprint,
      tbsSha256: facts.tbsSha256,
      deviceUuid,
      authorityId,
      subjectDn: facts.subjectDn,
      issuerDn: facts.issuerDn,
      serialHex: facts.serialHex,
      certificate: Uint8Array.from(facts.der),
      spkiSha256: facts.spkiSha256,
      keyType: facts.key.type,
      notBefore: facts.notBefore,
      notAfter: facts.notAfter,
      state: "allowed",
      canary: true,
      issuedHere: true,
      createdAt,
    },
    select: { fingerprint: true },
  });
}

export async function revokeCanaryRow(
  db: DbOrTx,
  namespaceId: string,
  of: { fingerprint: string; at: Date },
): Promise<void> {
  await db.deviceCertificate.updateMany({
    where: { namespaceId, fingerprint: of.fingerprint, canary: true },
    data: { state: "revoked", revokedAt: of.at, decidedAt: of.at },
  });
}

/** Those that have expired could come in nowhere, whatever is known of them. */
export async function dropCanaries(db: DbOrTx, namespaceId: string, expiredBefore: Date): Promise<void> {
  await db.deviceCertificate.deleteMany({ where: { namespaceId, canary: true, notAfter: { lt: expiredBefore } } });
}

export type CanaryRow = {
  tries: number;
  failures: number;
  buckets: Record<string, number>;
  lastAt: Date | null;
  lastDelayMs: number | null;
  lastProblem: string | null;
  worstAt: Date | null;
  worstDelayMs: number | null;
  lateSince: Date | null;
};

export async function findCanaryRow(db: DbOrTx, namespaceId: string): Promise<CanaryRow | null> {
  const row = await db.revocationCanary.findUnique({
    where: { namespaceId },
    select: {
      tries: true,
      failures: true,
      buckets: true,
      lastAt: true,
      lastDelayMs: true,
      lastProblem: true,
      worstAt: true,
      worstDelayMs: true,
      lateSince: true,
    },
  });
  return row === null ? null : { ...row, buckets: countsOf(row.buckets) };
}

/** Call it under a lock: it replaces the whole row. */
export async function saveCanaryRow(db: DbOrTx, namespaceId: string, row: CanaryRow): Promise<void> {
  await db.revocationCanary.upsert({ where: { namespaceId }, create: { namespaceId, ...row }, update: row });
}

function countsOf(stored: unknown): Record<string, number> {
  if (typeof stored !== "object" || stored === null) return {};
  return Object.fromEntries(
    Object.entries(stored).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}
