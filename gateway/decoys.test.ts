import { randomBytes } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import { createMasterKey } from "#lib/keys/master-key.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { createDecoys, type Decoys } from "./decoys.ts";

const MINUTE_MS = 60_000;
const masterKey = randomBytes(32).toString("hex");
let now = new Date("2026-06-01T12:00:00Z");
const gateway = (hex: string) => createDecoys({ keys: createMasterKey(hex), clock: () => now });
let own: Decoys;
let sister: Decoys;
let foreign: Decoys;

beforeAll(async () => {
  own = await gateway(masterKey);
  sister = await gateway(masterKey);
  foreign = await gateway(randomBytes(32).toString("hex"));
});

it("marks what every gateway of the install knows again, and no other install", () => {
  const { nonce, path, text } = own.mark();
  expect(sister.readAsked(path)).toBe(nonce);
  expect(sister.readAsked(`https://devices.example.com/app${path}`)).toBe(nonce);
  for (const value of [text, `CN=${text}`, `/${text}`]) expect(sister.readForged(value)).toBe(nonce);
  expect([foreign.readAsked(path), foreign.readForged(text)]).toEqual([null, null]);
});

it("takes a path for no forged header, and neither for the other, nor a fingerprint for any", () => {
  const { nonce, path, text } = own.mark();
  expect(own.readForged(path)).toBeNull();
  expect(own.readAsked(path.replace(/[0-9a-f]{64}/, text))).toBeNull();
  expect(own.readForged(randomBytes(32).toString("hex"))).toBeNull();
  expect(own.readForged(`${nonce}${"0".repeat(32)}`)).toBeNull();
  for (const uri of ["", "/", `${path}/x`, path.slice(0, -1)]) expect(own.readAsked(uri)).toBeNull();
});

it("forgets marks that are old, so that a log gives nothing away", () => {
  const { nonce, path, text } = own.mark();
  now = new Date(now.getTime() + 14 * MINUTE_MS);
  expect([own.readAsked(path), own.readForged(text)]).toEqual([nonce, nonce]);
  now = new Date(now.getTime() + 2 * MINUTE_MS);
  expect([own.readAsked(path), own.readForged(text)]).toEqual([null, null]);
});

it("knows the decoy's certificate by its key, whichever gateway made it, and takes no visitor for it", async () => {
  const decoy = parseCertificate(decodeURIComponent(own.certificateHeader));
  expect([sister.isForgedLeaf(decoy), foreign.isForgedLeaf(decoy)]).toEqual([true, false]);
  const visitor = await own.visitor();
  expect(own.isForgedLeaf(parseCertificate(visitor.certificatePem))).toBe(false);
  expect(visitor.privateKeyPem).toContain("PRIVATE KEY");
});
