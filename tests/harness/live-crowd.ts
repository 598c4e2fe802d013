import { randomBytes, randomUUID } from "node:crypto";
import { createCutter } from "#gateway/admission.ts";
import { type AdmissionBook, openAdmissionBook } from "#gateway/admission-book.ts";
import type { Connected } from "#gateway/live-connections.ts";
import type { Ctx } from "#lib/ctx.ts";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";

/**
 * What a gateway decides with, and the connections of as many allowed devices of one authority as are wanted. They have no sockets; of each is
 * recorded that it was cut.
 */
export type LiveCrowd = {
  readonly authorityId: string;
  readonly leaves: readonly CertificateFacts[];
  readonly connected: Connected[];
  readonly cut: Connected[];
  readonly book: AdmissionBook;
  connect(leaf: CertificateFacts, address?: string): Connected;
  /** Goes through all of them. @returns how many it cut */
  cutRefused(): Promise<number>;
  /** Resolves once the gateway has heard of the change. */
  changeAuthority(data: { state?: string; sourceNetworks?: string[] }): Promise<void>;
  /** The gateway's connection to the channel breaks, and is there again: whatever it missed, nothing that it remembers counts any more. */
  reconnect(): Promise<void>;
  close(): Promise<void>;
};

const ROWS_AT_ONCE = 1_000;

/** The certificates are one that was really issued, under as many digests: a signature takes as long to check as any. */
export async function openCrowd(ctx: Ctx, databaseUrl: string, size: number): Promise<LiveCrowd> {
  const ca = await createSoftwareCa({ commonName: "Crowd CA" });
  const authorityId = await addAuthority(ctx, ca.certificate);
  const { certificate } = await ca.issue();
  const digest = () => randomBytes(32).toString("hex");
  const leaves = Array.from({ length: size }, () => ({ ...certificate, fingerprint: digest(), tbsSha256: digest() }));
  for (let from = 0; from < size; from += ROWS_AT_ONCE) {
    await ctx.db.deviceCertificate.createMany({
      data: leaves.slice(from, from + ROWS_AT_ONCE).map(({ fingerprint, tbsSha256, der }) => ({
        namespaceId: ctx.namespaceId,
        fingerprint,
        tbsSha256,
        authorityId,
        deviceUuid: randomUUID(),
        certificate: Uint8Array.from(der),
        state: "allowed",
      })),
    });
  }
  const connected: Connected[] = [];
  const cut: Connected[] = [];
  const connect = (leaf: CertificateFacts, address = "192.0.2.1") => {
    const one: Connected = { leaf, address, cut: () => void cut.push(one) };
    connected.push(one);
    return one;
  };
  for (const leaf of leaves) connect(leaf);
  const book = await openAdmissionBook(ctx, databaseUrl);
  const cutter = createCutter({ book, live: { connected: () => connected } });
  const cutRefused = () => cutter(null);
  await cutRefused(); // as a door knows those who are connected: their signatures have been checked
  cut.length = 0;
  return {
    authorityId,
    leaves,
    connected,
    cut,
    book,
    connect,
    cutRefused,
    ...changesOf(ctx, book, authorityId),
    close: book.close,
  };
}

function changesOf(
  { db }: Ctx,
  book: AdmissionBook,
  authorityId: string,
): Pick<LiveCrowd, "changeAuthority" | "reconnect"> {
  let heard = 0;
  book.follow(() => {
    heard += 1;
  });
  const told = async (change: () => Promise<unknown>) => {
    const before = heard;
    await change();
    await eventually(() => {
      if (heard === before) throw new Error("the gateway has not heard of it");
    });
  };
  return {
    changeAuthority: (data) =>
      told(async () => {
        await db.authority.update({ where: { id: authorityId }, data });
        await notify(db, ADMISSION_CHANNEL, "*");
      }),
    reconnect: () =>
      told(
        () => db.$queryRaw`
          SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
          WHERE datname = current_database() AND query ILIKE ${`LISTEN "${ADMISSION_CHANNEL}"`}`,
      ),
  };
}
