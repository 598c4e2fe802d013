import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { certificateParts } from "#lib/pki/certificate-parts.ts";
import { deltaOf, plainSerial, type RevokedEntry, readCrl, saysTheSame, signCrl } from "#lib/pki/crl.ts";
import { createFleetCa, type IssuingCa, issueDeviceCertificate, openIssuingCa } from "#lib/pki/issue.ts";
import { CA_KEY_KINDS, type CaKeyKind, generateCertificateKey } from "#lib/pki/keys.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";

const now = new Date(Math.floor(Date.now() / 1_000) * 1_000);
const later = new Date(now.getTime() + 7 * 86_400_000);
const UUID = "0f8fad5b-d9cb-469f-a165-70867728950e";

let folder: OpensslFolder;
beforeAll(() => {
  folder = openssl();
});
afterAll(() => folder.remove());

async function authority(keyKind: CaKeyKind = "P-256"): Promise<IssuingCa & { pem: string }> {
  const made = await createFleetCa({ commonName: `CA ${keyKind}`, now, keyKind });
  return { ...openIssuingCa(made.certificate, made.privateKeyPem), pem: made.certificatePem };
}

function save(name: string, der: Buffer): void {
  writeFileSync(join(folder.path, name), der);
}

const entry = (serialHex: string, reason: RevokedEntry["reason"] = "keyCompromise"): RevokedEntry => ({
  serialHex,
  at: now,
  reason,
});

describe("signCrl", () => {
  it.each(CA_KEY_KINDS)(
    "makes a list that openssl verifies and refuses certificates by, with a key on %s",
    async (kind) => {
      const ca = await authority(kind);
      const leaf = await issueDeviceCertificate({
        ca,
        deviceUuid: UUID,
        publicKey: generateCertificateKey().publicKey,
        now,
      });
      const list = (entries: RevokedEntry[], number: bigint) =>
        signCrl({
          ca,
          number,
          thisUpdate: now,
          nextUpdate: later,
          entries,
          deltaUrl: "http://pki.example/a-delta.crl",
        });
      folder.write("ca.pem", ca.pem);
      folder.write("leaf.pem", leaf.certificatePem);
      save("empty.crl", list([], 1n));
      save("full.crl", list([entry(leaf.certificate.serialHex), entry("00ff"), entry("80", "unspecified")], 2n));
      const text = folder.tell("crl -inform DER -in full.crl -CAfile ca.pem -text");
      expect(text).toContain("verify OK");
      expect(text).toContain("Key Compromise");
      expect(text).toMatch(/Serial Number: 0*FF\n/);
      expect(text).toContain("http://pki.example/a-delta.crl");
      const check = (name: string) => folder.run(`crl -inform DER -in ${name} -out list.pem`);
      check("empty.crl");
      expect(folder.tell("verify -crl_check -CAfile ca.pem -CRLfile list.pem leaf.pem")).toContain("leaf.pem: OK");
      check("full.crl");
      expect(folder.tell("verify -crl_check -CAfile ca.pem -CRLfile list.pem leaf.pem")).toContain("revoked");
    },
  );

  it("carries number, authority key and, critically, the base of a delta", async () => {
    const ca = await authority();
    folder.write("ca.pem", ca.pem);
    const order = { ca, number: 2n ** 70n, baseNumber: 7n, thisUpdate: now, nextUpdate: later };
    save(
      "delta.crl",
      signCrl({ ...order, entries: [entry("0a", "removeFromCRL")], deltaUrl: "http://never.example/" }),
    );
    const text = folder.tell("crl -inform DER -in delta.crl -CAfile ca.pem -text");
    expect(text).toContain("verify OK");
    expect(text).toMatch(/Delta CRL Indicator: critical\s+0?7\b/);
    expect(text).toContain("Remove From CRL");
    expect(text).toContain(String(2n ** 70n));
    expect(text).not.toContain("never.example");
    const keyId = (ca.certificate.ski ?? "").toUpperCase().match(/../g)?.join(":");
    expect(text).toContain(keyId);
  });

  it("is read back as it was written", async () => {
    const ca = await authority();
    const entries = [
      entry("00ff"),
      entry("7f", "certificateHold"),
      entry("-02", "superseded"),
      entry("01", "unspecified"),
    ];
    const read = readCrl(signCrl({ ca, number: 300n, thisUpdate: now, nextUpdate: later, entries }));
    expect(read).toMatchObject({ number: 300n, baseNumber: null });
    expect(read.entries.get("ff")).toEqual({ at: now, reason: "keyCompromise" });
    expect(saysTheSame(read, entries)).toBe(true);
    expect(saysTheSame(read, entries.slice(1))).toBe(false);
    expect(saysTheSame(read, [...entries.slice(1), entry("ff", "superseded")])).toBe(false);
    expect(() => readCrl(Buffer.from("3003020101", "hex"))).toThrow(expect.objectContaining({ code: "pki.malformed" }));
  });
});

describe("deltaOf", () => {
  it("makes base and delta together what the complete list says, whichever complete list one starts from", async () => {
    const ca = await authority();
    const serials = Array.from({ length: 40 }, (_, index) => (index + 1).toString(16));
    // Each step holds, releases and revokes some, by a pattern that repeats nothing.
    const step = (number: number) =>
      serials
        .filter((_, index) => (index * 7 + number * 5) % 11 < 4)
        .map((serial) =>
          entry(
            serial,
            number % 2 === 0 && Number.parseInt(serial, 16) % 3 === 0 ? "certificateHold" : "keyCompromise",
          ),
        );
    const full = (number: number) =>
      readCrl(signCrl({ ca, number: BigInt(number), thisUpdate: now, nextUpdate: later, entries: step(number) }));
    let earlier = null;
    for (let number = 2; number < 12; number += 1) {
      const entries = deltaOf(full(1), step(number), { at: now, earlier });
      const delta = readCrl(
        signCrl({ ca, number: BigInt(number), baseNumber: 1n, thisUpdate: now, nextUpdate: later, entries }),
      );
      for (let from = 1; from <= number; from += 1) {
        const folded = new Map([...full(from).entries].map(([serial, { reason }]) => [serial, reason]));
        for (const [serial, { reason }] of delta.entries) {
          if (reason === "removeFromCRL") folded.delete(serial);
          else folded.set(serial, reason);
        }
        expect(folded).toEqual(new Map([...full(number).entries].map(([serial, { reason }]) => [serial, reason])));
      }
      earlier = delta;
    }
  });
});

describe("plainSerial", () => {
  it("is the same however a parser prints a serial", () => {
    expect([plainSerial("00FF"), plainSerial("ff"), plainSerial("-02"), plainSerial("0")]).toEqual([
      "ff",
      "ff",
      "-2",
      "0",
    ]);
  });
});

describe("certificateParts", () => {
  it("refuses what is no certificate", () => {
    expect(() => certificateParts(Buffer.from("30023000", "hex"))).toThrow(
      expect.objectContaining({ code: "pki.malformed" }),
    );
  });
});
