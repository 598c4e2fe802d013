import type { DbOrTx } from "#lib/db/client.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";

export type ServerCaRow = {
  id: string;
  certificate: Uint8Array;
  sealedKey: Uint8Array | null;
  notBefore: Date;
  notAfter: Date;
  createdAt: Date;
};

type Kind = "server_ca" | "server_ca_next" | "server_ca_cross";

/**
 * The newest of its kind that has its key. A server CA without it has had its time, whatever the clock said when the next one was made.
 * A cross-certificate has no key of its own.
 */
export async function findServerCa(db: DbOrTx, kind: Kind): Promise<ServerCaRow | null> {
  return db.serverCertificate.findFirst({
    where: kind === "server_ca_cross" ? { kind } : { kind, sealedKey: { not: null } },
    orderBy: [{ createdAt: "desc" }, { id: "desc" }],
    select: { id: true, certificate: true, sealedKey: true, notBefore: true, notAfter: true, createdAt: true },
  });
}

export async function insertServerCa(
  db: DbOrTx,
  row: { id: string; kind: Kind; certificate: CertificateFacts; sealedKey: Uint8Array | null; createdAt: Date },
): Promise<void> {
  const { id, kind, certificate, sealedKey, createdAt } = row;
  await db.serverCertificate.create({
    data: {
      id,
      kind,
      names: [],
      certificate: Uint8Array.from(certificate.der),
      sealedKey: sealedKey === null ? null : Uint8Array.from(sealedKey),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      createdAt,
    },
    select: { id: true },
  });
}

/** Puts the next server CA in force, and takes their keys from all before it. */
export async function putInForce(db: DbOrTx, nextId: string): Promise<void> {
  await db.serverCertificate.deleteMany({ where: { kind: "server_ca_cross" } });
  await db.serverCertificate.updateMany({ where: { kind: "server_ca" }, data: { sealedKey: null } });
  await db.serverCertificate.updateMany({ where: { id: nextId }, data: { kind: "server_ca" } });
}

/** Forgets the next server CA with its key, and what vouches for the one in force in its name. */
export async function dropNext(db: DbOrTx): Promise<void> {
  await db.serverCertificate.deleteMany({ where: { kind: { in: ["server_ca_next", "server_ca_cross"] } } });
}

export async function deleteCross(db: DbOrTx): Promise<void> {
  await db.serverCertificate.deleteMany({ where: { kind: "server_ca_cross" } });
}

export async function upsertGiven(
  db: DbOrTx,
  namespaceId: string,
  given: { deviceUuid: string; serverCaId: string; givenAt: Date },
): Promise<void> {
  const { deviceUuid, ...change } = given;
  await db.deviceServerCa.upsert({
    where: { namespaceId_deviceUuid: { namespaceId, deviceUuid } },
    create: { namespaceId, ...given },
    update: change,
    select: { deviceUuid: true },
  });
}
