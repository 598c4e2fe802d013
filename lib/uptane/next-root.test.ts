import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import { type FullRoot, judgeNextRoot, parseFullRoot, printFullRoot, type RootReason } from "#lib/uptane/next-root.ts";
import { signDocument } from "#lib/uptane/signatures.ts";
import { verifyInitialRoot, verifyNextRoot } from "#lib/uptane/verify.ts";
import { put, seedSigner } from "#tests/harness/uptane-documents.ts";

const NOW = new Date("2026-03-01T10:00:00Z");
const EXPIRES = new Date("2027-03-01T10:00:00Z");
const [ROOT, TARGETS, SNAPSHOT, TIMESTAMP] = [seedSigner("a1"), seedSigner("a2"), seedSigner("a3"), seedSigner("a4")];
const [NEW_ROOT, SECOND_ROOT, STRANGER] = [seedSigner("b1"), seedSigner("b2"), seedSigner("cc")];

type Roots = { version?: number; root?: (typeof ROOT)[]; threshold?: number; expires?: Date; targets?: typeof ROOT };

function makeRoot({
  version = 2,
  root = [ROOT],
  threshold = 1,
  expires = EXPIRES,
  targets = TARGETS,
}: Roots = {}): FullRoot {
  const used = [...root, targets, SNAPSHOT, TIMESTAMP];
  const role = (signers: (typeof ROOT)[], wanted = 1) => ({
    keyids: signers.map(({ keyId }) => keyId),
    threshold: wanted,
  });
  return {
    version,
    expires,
    keys: new Map(used.map(({ keyId, publicKey }) => [keyId, publicKey])),
    roles: new Map([
      ["root", role(root, threshold)],
      ["targets", role([targets])],
      ["snapshot", role([SNAPSHOT])],
      ["timestamp", role([TIMESTAMP])],
    ]),
  };
}

const CURRENT = signDocument(printFullRoot(makeRoot({ version: 1 })), [ROOT]).bytes;
/** Two of two root keys. */
const STRICT = signDocument(printFullRoot(makeRoot({ version: 1, root: [ROOT, SECOND_ROOT], threshold: 2 })), [
  ROOT,
  SECOND_ROOT,
]).bytes;

/** The envelope of what these keys signed. */
function signedBy(signed: JsonObject, signers: readonly (typeof ROOT)[]): JsonObject {
  return JSON.parse(signDocument(signed, [...signers]).bytes.toString("utf8"));
}

/** A document that only this change sets apart from one that is taken. */
const changed = (path: (string | number)[], value: Json | undefined, signers = [ROOT]) =>
  signedBy(put(printFullRoot(makeRoot()), path, value), signers);

function reasonsOf(candidate: Json, current: Uint8Array = CURRENT): RootReason["code"][] {
  const verdict = judgeNextRoot(current, candidate, NOW);
  return verdict.ok ? [] : verdict.reasons.map(({ code }) => code);
}

describe("a root that may follow", () => {
  it.each([
    ["with the same keys", signedBy(printFullRoot(makeRoot()), [ROOT]), CURRENT],
    ["with another targets key", signedBy(printFullRoot(makeRoot({ targets: STRANGER })), [ROOT]), CURRENT],
    ["with another root key", signedBy(printFullRoot(makeRoot({ root: [NEW_ROOT] })), [ROOT, NEW_ROOT]), CURRENT],
    [
      "with a higher threshold",
      signedBy(printFullRoot(makeRoot({ root: [ROOT, NEW_ROOT], threshold: 2 })), [ROOT, NEW_ROOT]),
      CURRENT,
    ],
    ["after two of two keys", signedBy(printFullRoot(makeRoot()), [ROOT, SECOND_ROOT]), STRICT],
  ])("%s is taken as devices take it", (_name, candidate, current) => {
    const verdict = judgeNextRoot(current, candidate, NOW);
    if (!verdict.ok) throw new Error(verdict.reasons.map(({ text }) => text).join(" "));
    expect(verifyNextRoot(verifyInitialRoot(current, 1), verdict.document.bytes).signed.version).toBe(2);
  });

  it("keeps the roles that devices pass over", () => {
    const offline = { keyids: [TARGETS.keyId], threshold: 1 };
    const signed = put(printFullRoot(makeRoot()), ["roles", "offline-updates"], offline);
    const verdict = judgeNextRoot(CURRENT, signedBy(signed, [ROOT]), NOW);
    expect(verdict.ok && verdict.root.roles.get("offline-updates")).toEqual(offline);
    expect(printFullRoot(parseFullRoot(signed))).toEqual(signed);
  });
});

describe("a root that may not follow is refused for this reason alone", () => {
  const ecPem = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" });
  const padded = signedBy(printFullRoot(makeRoot()), [ROOT]);
  const long = Array.from({ length: 600 }, () => (padded.signatures as Json[])[0] ?? null);

  it.each<[RootReason["code"], string, Json, Uint8Array?]>([
    ["malformed", "no object", []],
    ["malformed", "no signatures", { signed: printFullRoot(makeRoot()) }],
    ["malformed", "a date in another form", changed(["expires"], "2027-03-01T10:00:00.000Z")],
    ["malformed", "a version that is text", changed(["version"], "2")],
    ["malformed", "no roles", changed(["roles"], undefined)],
    ["too_large", "over 64 KiB", { ...padded, signatures: long }],
    ["not_same_again", "a field more", changed(["spec_version"], "1.0")],
    ["not_same_again", "another type", changed(["_type"], "Targets")],
    ["not_same_again", "a role that nobody knows", changed(["roles", "mine"], { keyids: [], threshold: 1 })],
    ["not_same_again", "a field more in the envelope", { ...padded, note: "x" }],
    ["not_same_again", "a key of another spelling", changed(["keys", TARGETS.keyId, "keytype"], "ed25519")],
    [
      "key_refused",
      "an elliptic key",
      changed(["keys", TARGETS.keyId], { keytype: "ECPRIME256V1", keyval: { public: ecPem.toString() } }),
    ],
    ["key_id", "a key under another id", withWrongKeyId()],
    ["role", "no timestamp role", changed(["roles", "timestamp"], undefined)],
    ["role", "a key that is not listed", changed(["roles", "targets", "keyids", 0], STRANGER.keyId)],
    ["role", "a threshold of 0", changed(["roles", "targets", "threshold"], 0)],
    ["role", "a threshold above the keys", changed(["roles", "targets", "threshold"], 2)],
    ["consistent_snapshot", "with prefixed files", changed(["consistent_snapshot"], true)],
    ["expired", "from the past", signedBy(printFullRoot(makeRoot({ expires: NOW })), [ROOT])],
    ["version", "the same version", changed(["version"], 1)],
    ["version", "a version left out", changed(["version"], 3)],
    ["not_signed_by_old", "a new key alone", signedBy(printFullRoot(makeRoot({ root: [NEW_ROOT] })), [NEW_ROOT])],
    ["not_signed_by_old", "one of two keys", signedBy(printFullRoot(makeRoot()), [ROOT]), STRICT],
    ["malformed", "one of two keys twice", signedBy(printFullRoot(makeRoot()), [ROOT, ROOT]), STRICT],
    ["not_signed_by_new", "the old key alone", signedBy(printFullRoot(makeRoot({ root: [NEW_ROOT] })), [ROOT])],
    [
      "not_signed_by_new",
      "one of its own two keys",
      signedBy(printFullRoot(makeRoot({ root: [ROOT, NEW_ROOT], threshold: 2 })), [ROOT]),
    ],
  ])("%s: %s", (code, _name, candidate, current) => {
    expect(reasonsOf(candidate, current)).toEqual([code]);
  });

  it("or for all of several", () => {
    const signed = put(printFullRoot(makeRoot({ version: 9, expires: NOW })), ["roles", "targets", "threshold"], 0);
    expect(reasonsOf(signedBy(signed, [STRANGER]))).toEqual([
      "role",
      "version",
      "expired",
      "not_signed_by_old",
      "not_signed_by_new",
    ]);
  });

  it("and a changed byte takes the signature's worth", () => {
    const candidate = put(changed(["version"], 2), ["signed", "expires"], "2028-01-01T00:00:00Z");
    expect(reasonsOf(candidate)).toEqual(["not_signed_by_old", "not_signed_by_new"]);
  });
});

/** Listed and named consistently, but under no digest of itself. */
function withWrongKeyId(): Json {
  const wrong = "f".repeat(64);
  const without = put(printFullRoot(makeRoot()), ["keys", TARGETS.keyId], undefined);
  const listed = put(without, ["keys", wrong], { keytype: "ED25519", keyval: TARGETS.publicKey.keyval });
  return signedBy(put(listed, ["roles", "targets", "keyids", 0], wrong), [ROOT]);
}
