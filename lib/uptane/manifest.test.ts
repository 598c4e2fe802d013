import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "#lib/uptane/json.ts";
import {
  asDeviceSigner,
  generateKeyPair,
  parseTufKey,
  type Signer,
  signerFromPrivate,
  type TufKey,
} from "#lib/uptane/keys.ts";
import {
  buildEcuManifest,
  buildManifest,
  type InstallationReport,
  type ManifestRefusal,
  parseManifest,
  verifyManifest,
} from "#lib/uptane/manifest.ts";
import { codeOf, expectCode } from "#tests/harness/app-errors.ts";
import { pick, seededRandom } from "#tests/harness/random.ts";
import {
  at,
  objectAt,
  plainCanonical,
  put,
  seedKey,
  seedSigner,
  signByHand,
  textAt,
  vectors,
  wire,
} from "#tests/harness/uptane-documents.ts";

const MANIFEST = objectAt(vectors, "manifest");
const SERIAL = "ecu-primary-1";
const KEY = { keyid: textAt(MANIFEST, "signatures", 0, "keyid"), seed: seedKey("21").seed };
const KEYS: ReadonlyMap<string, TufKey> = new Map([[SERIAL, seedSigner("21").publicKey]]);
const ECU_PATH = ["ecu_version_manifests", SERIAL];

/** The published manifest with edits in the ECU's and the outer part, both signed again. */
function remade(ecuEdit: (signed: JsonObject) => Json, outerEdit = (signed: JsonObject): Json => signed): JsonObject {
  const ecu = signByHand(ecuEdit(objectAt(MANIFEST, "signed", ...ECU_PATH, "signed")), KEY);
  return signByHand(outerEdit(put(at(MANIFEST, "signed"), ECU_PATH, ecu)), KEY);
}

function refusals(document: Json, keys = KEYS, primary = SERIAL): readonly ManifestRefusal[] {
  const verdict = verifyManifest(parseManifest(wire(document)), keys, primary);
  return verdict.kind === "refused" ? verdict.reasons.map((reason) => reason.code) : [];
}

describe("the published manifest", () => {
  it("is accepted, whatever the white space, and read completely", () => {
    for (const bytes of [plainCanonical(MANIFEST), wire(MANIFEST)]) {
      const parsed = parseManifest(bytes);
      const verdict = verifyManifest(parsed, KEYS, SERIAL);
      expect(verdict.kind).toBe("accepted");
      expect(verdict.kind === "accepted" && verdict.ecus[0]?.verifiedKeyId).toBe(KEY.keyid);
      expect(parsed.format).toBe("v3");
      expect(parsed.ecus[0]).toMatchObject({
        serial: SERIAL,
        reportCounter: "7",
        attacksDetected: "",
        installedImage: { filepath: "app_1.0", length: 12 },
      });
      expect(parsed.report).toMatchObject({ kind: "present", report: { result: { success: true, code: "OK" } } });
    }
  });

  it("is accepted for an ECU that signs with RSA", () => {
    const ecu = { signatures: [at(vectors, "rsa", "signature")], signed: at(vectors, "rsa", "signed") };
    const document = signByHand(put(at(MANIFEST, "signed"), ECU_PATH, ecu), KEY);
    const rsaKey = parseTufKey({ keytype: "RSA", keyval: { public: at(vectors, "rsa", "public_pem") } });
    expect(refusals(document, new Map([[SERIAL, rsaKey]]))).toEqual(["primary_signature_invalid"]);
    const parsed = parseManifest(wire(document));
    const primary = new Map([
      ["p", seedSigner("21").publicKey],
      [SERIAL, rsaKey],
    ]);
    expect(verifyManifest({ ...parsed, primarySerial: "p" }, primary, "p").kind).toBe("accepted");
  });
});

describe("a manifest is refused", () => {
  const primaryAndSecondary = (secondaryKey: string, secondarySerial = "ecu-2") =>
    remade(
      (ecu) => ecu,
      (signed) => {
        const ecu = put(at(signed, ...ECU_PATH, "signed"), ["ecu_serial"], secondarySerial);
        return put(signed, ["ecu_version_manifests", "ecu-2"], signByHand(ecu, seedKey(secondaryKey)));
      },
    );
  const twoKeys = new Map([...KEYS, ["ecu-2", seedSigner("22").publicKey]]);

  it("when a secondary's report is signed by the primary's key", () => {
    expect(refusals(primaryAndSecondary("22"), twoKeys)).toEqual([]);
    expect(refusals(primaryAndSecondary("21"), twoKeys)).toEqual(["ecu_signature_invalid"]);
  });

  it("when it is signed by a secondary's key", () => {
    const document = signByHand(at(primaryAndSecondary("22"), "signed"), seedKey("22"));
    expect(refusals(document, twoKeys)).toEqual(["primary_signature_invalid"]);
  });

  it("when an ECU is not registered, even under an inherited name", () => {
    expect(refusals(primaryAndSecondary("22"))).toEqual(["ecu_unknown"]);
    expect(refusals(MANIFEST, new Map())).toEqual(["primary_unknown", "ecu_unknown"]);
    const inherited = remade(
      (ecu) => ecu,
      (signed) => put(signed, ["ecu_version_manifests", "constructor"], at(signed, ...ECU_PATH)),
    );
    expect(refusals(inherited)).toEqual(["ecu_unknown"]);
  });

  it("when a report stands under another ECU's name", () => {
    expect(refusals(primaryAndSecondary("22", SERIAL), twoKeys)).toEqual(["ecu_serial_mismatch"]);
  });

  it("when it names another primary", () => {
    expect(refusals(MANIFEST, twoKeys, "ecu-2")).toEqual(["primary_mismatch", "primary_signature_invalid"]);
  });

  it("when anything changed after signing", () => {
    const path = ["signed", ...ECU_PATH, "signed", "installed_image", "filepath"];
    expect(refusals(put(MANIFEST, path, "app_2.0"))).toEqual(["primary_signature_invalid", "ecu_signature_invalid"]);
    const report = ["signed", "installation_report", "report", "result", "success"];
    expect(refusals(put(MANIFEST, report, false))).toEqual(["primary_signature_invalid"]);
  });

  it("without signatures, and not when one of several holds under whatever key id", () => {
    expect(refusals(put(MANIFEST, ["signatures"], []))).toEqual(["primary_signature_invalid"]);
    const real = at(MANIFEST, "signatures", 0);
    const several = [{ keyid: "x", method: "odd", sig: "AAAA" }, put(real, ["keyid"], "anything")];
    expect(refusals(put(MANIFEST, ["signatures"], several))).toEqual([]);
  });
});

describe("older formats", () => {
  it("v1, an array of reports, is read by the serial each ECU signed, and a repeated ECU refused", () => {
    const list = (count: number) =>
      remade(
        (ecu) => ecu,
        (signed) => {
          const ecu = at(signed, ...ECU_PATH);
          const bare = put(put(signed, ["ecu_version_manifests"], undefined), ["installation_report"], undefined);
          return put(bare, ["ecu_version_manifest"], new Array(count).fill(ecu));
        },
      );
    expect(parseManifest(wire(list(1)))).toMatchObject({
      format: "v1",
      report: { kind: "absent" },
      ecus: [{ serial: SERIAL }],
    });
    expect(refusals(list(1))).toEqual([]);
    expect(refusals(list(2))).toEqual(["ecu_repeated"]);
  });

  it("v2 tells the outcome of each ECU", () => {
    const result = { operation_result: { id: "op", result_code: 19, result_text: "broken" } };
    const document = remade(
      (ecu) => put(ecu, ["custom"], result),
      (signed) => put(signed, ["installation_report"], undefined),
    );
    const parsed = parseManifest(wire(document));
    expect(parsed.format).toBe("v2");
    expect(parsed.ecus[0]?.operationResult).toEqual({ id: "op", resultCode: 19, resultText: "broken" });
    expect(refusals(document)).toEqual([]);
  });

  it("no report and no outcome is v3 without report", () => {
    const document = remade(
      (ecu) => ecu,
      (signed) => put(signed, ["installation_report"], undefined),
    );
    expect(parseManifest(wire(document))).toMatchObject({ format: "v3", report: { kind: "absent" } });
  });
});

describe("what devices really send", () => {
  const sendVerbatim = (note: string) => {
    // Signed over the text as sent: a fraction with 17 digits, a 64-bit integer and escapes print differently with us.
    const ecuText = `{"attacks_detected":"","ecu_serial":"${SERIAL}","installed_image":{"fileinfo":{"hashes":{"sha256":""},"length":0},"filepath":"noimage"},"note":${note}}`;
    const signer = seedSigner("21");
    const ecu = `{"signatures":[{"keyid":"a","method":"ed25519","sig":"${signer.sign(Buffer.from(ecuText))}"}],"signed":${ecuText}}`;
    const outer = `{"custom":${note},"ecu_version_manifests":{"${SERIAL}":${ecu}},"primary_ecu_serial":"${SERIAL}"}`;
    return `{"signatures":[{"keyid":"a","method":"ed25519","sig":"${signer.sign(Buffer.from(outer))}"}],"signed":${outer}}`;
  };

  it.each(["1.1000000000000001", "18446744073709551615", '"\\u0000\\ud800"', '"ü"', '"\\u00fc\\/"', '{"__proto__":1}'])(
    "is verified over the very text it signed: %s",
    (note) => {
      const parsed = parseManifest(Buffer.from(sendVerbatim(note)));
      expect(verifyManifest(parsed, KEYS, SERIAL).kind).toBe("accepted");
      expect(parsed.ecus[0]?.installedImage.sha256).toBe("");
    },
  );

  it("keeps its versions when only the report is unreadable", () => {
    const report = ["installation_report", "report"];
    const broken: readonly [readonly string[], Json | undefined][] = [
      [[...report, "correlation_id"], ""],
      [[...report, "correlation_id"], undefined],
      [[...report, "result"], undefined],
      [[...report, "result", "success"], "yes"],
      [[...report, "items"], {}],
      [[...report, "items"], [{ ecu: "", result: {} }]],
      [["installation_report"], "x"],
    ];
    for (const [path, value] of broken) {
      const parsed = parseManifest(
        wire(
          remade(
            (ecu) => ecu,
            (signed) => put(signed, path, value),
          ),
        ),
      );
      expect(parsed.report.kind).toBe("unreadable");
      expect(parsed.ecus).toHaveLength(1);
    }
  });

  it("has the same content hash when only signatures, counter and order differ, and another otherwise", () => {
    const hash = (document: Json) => parseManifest(wire(document)).contentSha256;
    const same = remade((ecu) => put(ecu, ["report_counter"], "8"));
    expect(hash(same)).toBe(hash(MANIFEST));
    expect(hash(remade((ecu) => put(ecu, ["attacks_detected"], "x")))).not.toBe(hash(MANIFEST));
  });

  it.each<[string, () => Json]>([
    ["not an object", () => []],
    ["without signed", () => put(MANIFEST, ["signed"], undefined)],
    ["without primary", () => put(MANIFEST, ["signed", "primary_ecu_serial"], undefined)],
    ["with a serial of 65 characters", () => put(MANIFEST, ["signed", "primary_ecu_serial"], "x".repeat(65))],
    ["with an empty serial", () => put(MANIFEST, ["signed", "primary_ecu_serial"], "")],
    ["without versions", () => put(MANIFEST, ["signed", "ecu_version_manifests"], undefined)],
    ["with an ECU that is text", () => put(MANIFEST, ["signed", ...ECU_PATH], "x")],
    ["without installed image", () => put(MANIFEST, ["signed", ...ECU_PATH, "signed", "installed_image"], undefined)],
    ["without attacks_detected", () => put(MANIFEST, ["signed", ...ECU_PATH, "signed", "attacks_detected"], undefined)],
    [
      "with a hash that is none",
      () => put(MANIFEST, ["signed", ...ECU_PATH, "signed", "installed_image", "fileinfo", "hashes", "sha256"], "x"),
    ],
    [
      "with a path of 4097 characters",
      () => put(MANIFEST, ["signed", ...ECU_PATH, "signed", "installed_image", "filepath"], "x".repeat(4097)),
    ],
    [
      "with too many ECUs",
      () =>
        put(
          MANIFEST,
          ["signed", "ecu_version_manifests"],
          Object.fromEntries(Array.from({ length: 257 }, (_, n) => [`e${n}`, {}])),
        ),
    ],
    [
      "with too many signatures",
      () => put(MANIFEST, ["signatures"], new Array(65).fill(at(MANIFEST, "signatures", 0))),
    ],
  ])("is refused as malformed %s", (_name, document) => {
    expectCode(() => parseManifest(wire(document())), "uptane.malformed");
  });

  it("throws nothing but its own errors on random damage", () => {
    const random = seededRandom(99);
    const text = plainCanonical(MANIFEST).toString();
    const pieces = ["\\u0000", "\\ud800", "{", "}", "[", "]", '"', "null", "1e5", "-", ",", ":", "\u0001", "é"];
    for (let round = 0; round < 3_000; round += 1) {
      const cut = Math.floor(random() * text.length);
      const damaged = text.slice(0, cut) + pick(random, pieces) + text.slice(cut + Math.floor(random() * 3));
      const code = codeOf(() => {
        verifyManifest(parseManifest(Buffer.from(damaged)), KEYS, SERIAL);
      });
      expect([null, "uptane.malformed", "uptane.key_type_unsupported"]).toContain(code);
    }
  });
});

describe("what we build as a device", () => {
  const image = { filepath: "app_1.0", sha256: "00".repeat(32), length: 12 };
  const report: InstallationReport = {
    correlationId: "urn:x",
    result: { success: true, code: "OK", description: "done" },
    items: [{ ecu: "p", result: { success: true, code: "OK", description: "" } }],
    rawReport: "",
  };

  it.each(["ED25519", "RSA"] as const)("is accepted with %s keys and reads back as given", (keytype) => {
    const signer = (): Signer => asDeviceSigner(signerFromPrivate(keytype, generateKeyPair(keytype).privateKey));
    const [primary, secondary] = [signer(), signer()];
    const ecus = {
      p: buildEcuManifest({ serial: "p", installedImage: image, reportCounter: 3 }, primary),
      s: buildEcuManifest({ serial: "s", installedImage: image, attacksDetected: "seen" }, secondary),
    };
    const bytes = buildManifest({ primarySerial: "p", ecus, report }, primary);
    const parsed = parseManifest(bytes);
    const keys = new Map([
      ["p", primary.publicKey],
      ["s", secondary.publicKey],
    ]);
    expect(verifyManifest(parsed, keys, "p").kind).toBe("accepted");
    expect(parsed.report).toEqual({ kind: "present", report });
    expect(parsed.ecus.map((ecu) => ecu.reportCounter)).toEqual(["3", null]);
    expect(parsed.ecus[1]?.attacksDetected).toBe("seen");
    const without = parseManifest(buildManifest({ primarySerial: "p", ecus, report: null }, primary));
    expect(without.report.kind).toBe("absent");
  });
});
