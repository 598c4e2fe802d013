import { createHash } from "node:crypto";
import { isAppError } from "#lib/errors/app-error.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import { readSignatures, type SignatureEntry } from "#lib/uptane/envelope.ts";
import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  type LocatedJson,
  parseJsonLocated,
} from "#lib/uptane/json.ts";
import type { Signer, TufKey } from "#lib/uptane/keys.ts";
import { MANIFEST_LIMITS, MAX_ECUS } from "#lib/uptane/limits.ts";
import { malformed, member, readArray, readHex, readInteger, readObject, readString } from "#lib/uptane/read.ts";
import { verifySignature } from "#lib/uptane/signatures.ts";

/** A part of a manifest with the byte strings its signatures may have been made over. */
type SignedPart = { readonly signatures: readonly SignatureEntry[]; readonly inputs: readonly Buffer[] };

export type InstalledImage = { readonly filepath: string; readonly sha256: string; readonly length: number };

/** Older devices report the outcome per ECU here; 0 and 1 are success. */
export type OperationResult = { readonly id: string; readonly resultCode: number; readonly resultText: string };

export type EcuReport = SignedPart & {
  /** The name the report is listed under; `statedSerial` is what the ECU signed. */
  readonly serial: string;
  readonly statedSerial: string;
  readonly installedImage: InstalledImage;
  readonly attacksDetected: string;
  readonly reportCounter: string | null;
  readonly operationResult: OperationResult | null;
};

export type InstallationResult = { readonly success: boolean; readonly code: string; readonly description: string };

export type InstallationReport = {
  readonly correlationId: string;
  readonly result: InstallationResult;
  readonly items: readonly { readonly ecu: string; readonly result: InstallationResult }[];
  readonly rawReport: string;
};

/** An unreadable report must not hide the versions beside it: the director answers it with code 102. */
export type ReportOutcome =
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable"; readonly raw: Json }
  | { readonly kind: "present"; readonly report: InstallationReport };

export type ParsedManifest = SignedPart & {
  readonly format: "v1" | "v2" | "v3";
  readonly primarySerial: string;
  readonly ecus: readonly EcuReport[];
  readonly report: ReportOutcome;
  /** Equal for two manifests that say the same: signatures and the report counter are left out. */
  readonly contentSha256: string;
};

export type ManifestRefusal =
  | "primary_mismatch"
  | "primary_unknown"
  | "primary_signature_invalid"
  | "ecu_unknown"
  | "ecu_serial_mismatch"
  | "ecu_repeated"
  | "ecu_signature_invalid";

export type ManifestVerdict =
  | {
      readonly kind: "accepted";
      /** With each report the key id of the signature that held, as the device stated it: evidence for a receipt. */
      readonly ecus: readonly (EcuReport & { readonly verifiedKeyId: string })[];
    }
  | {
      readonly kind: "refused";
      readonly reasons: readonly { readonly code: ManifestRefusal; readonly serial: string }[];
    };

/**
 * Reads a device manifest of any format a device ever sent. Nothing in it is believed yet.
 *
 * Texts may hold NUL and lone surrogates: clean them before indexing, and store the bytes as received.
 *
 * @throws AppError `uptane.malformed` | `uptane.too_large`
 * @see contracts/uptane-metadata.md section 9; contracts/director.md section 4.3; contracts/aktualizr-client.md section 7
 */
export function parseManifest(bytes: Uint8Array): ParsedManifest {
  const located = parseJsonLocated(bytes, MANIFEST_LIMITS);
  const document = readObject(located.value, "the manifest");
  const signed = readObject(member(document, "signed"), "signed");
  const ecus = readEcus(located, signed);
  const reportValue = member(signed, "installation_report");
  return {
    ...readSignedPart(located, document, signed),
    format: formatOf(signed, ecus),
    primarySerial: readSerial(member(signed, "primary_ecu_serial"), "primary_ecu_serial"),
    ecus,
    report: reportValue === undefined || reportValue === null ? { kind: "absent" } : readReport(reportValue),
    contentSha256: contentHash(signed),
  };
}

/**
 * Decides whether a manifest is this device's: the primary's registered key signed the whole, and each ECU's own registered
 * key signed its report. Checking every report with the primary's key would let a stolen primary speak for all.
 *
 * Key ids are ignored, since devices compute them by a rule of their own; one listed signature that verifies is enough. Not
 * every registered ECU has to be present.
 *
 * @param keysBySerial registered keys; a Map, so that no serial can name something inherited
 * @param primarySerial the registered primary
 * @returns accepted, or refused with every reason found
 * @see contracts/director.md section 4.3; Uptane 2.0.0 section 5.3.2.1 (directing installation)
 */
export function verifyManifest(
  parsed: ParsedManifest,
  keysBySerial: ReadonlyMap<string, TufKey>,
  primarySerial: string,
): ManifestVerdict {
  const reasons: { code: ManifestRefusal; serial: string }[] = [];
  if (parsed.primarySerial !== primarySerial) reasons.push({ code: "primary_mismatch", serial: parsed.primarySerial });
  const primaryKey = keysBySerial.get(primarySerial);
  if (primaryKey === undefined) reasons.push({ code: "primary_unknown", serial: primarySerial });
  else if (findValid(parsed, primaryKey) === null) {
    reasons.push({ code: "primary_signature_invalid", serial: primarySerial });
  }
  const seen = new Set<string>();
  const accepted: (EcuReport & { verifiedKeyId: string })[] = [];
  for (const ecu of parsed.ecus) {
    const verdict = judgeEcu(ecu, keysBySerial.get(ecu.serial), seen);
    seen.add(ecu.serial);
    if (typeof verdict === "string") reasons.push({ code: verdict, serial: ecu.serial });
    else accepted.push({ ...ecu, verifiedKeyId: verdict.keyid });
  }
  return reasons.length > 0 ? { kind: "refused", reasons } : { kind: "accepted", ecus: accepted };
}

function judgeEcu(
  ecu: EcuReport,
  key: TufKey | undefined,
  seen: ReadonlySet<string>,
): ManifestRefusal | SignatureEntry {
  if (key === undefined) return "ecu_unknown";
  if (seen.has(ecu.serial)) return "ecu_repeated";
  if (ecu.statedSerial !== ecu.serial) return "ecu_serial_mismatch";
  return findValid(ecu, key) ?? "ecu_signature_invalid";
}

function findValid(part: SignedPart, key: TufKey): SignatureEntry | null {
  for (const entry of part.signatures) {
    for (const input of part.inputs) {
      if (verifySignature(key, entry.method, entry.sig, input)) return entry;
    }
  }
  return null;
}

function readSignedPart(located: LocatedJson, envelope: JsonObject, signed: JsonObject): SignedPart {
  return { signatures: readSignatures(member(envelope, "signatures")), inputs: signatureInputs(located, signed) };
}

/**
 * A device sends the canonical bytes it signed, so its own text is tried first: that holds even where its library prints
 * fractions, large integers or odd characters unlike ours. The canonical form serves senders that format the body.
 */
function signatureInputs(located: LocatedJson, signed: JsonObject): readonly Buffer[] {
  const inputs: Buffer[] = [];
  const text = located.textOf(signed);
  if (text !== null) inputs.push(Buffer.from(text, "utf8"));
  try {
    const canonical = canonicalBytes(signed);
    if (!inputs.some((input) => input.equals(canonical))) inputs.push(canonical);
  } catch (error) {
    if (!isAppError(error, "uptane.not_canonical")) throw error;
  }
  return inputs;
}

function readEcus(located: LocatedJson, signed: JsonObject): readonly EcuReport[] {
  const list = member(signed, "ecu_version_manifest");
  const entries: readonly (readonly [string | null, Json])[] = isJsonArray(list)
    ? list.map((item) => [null, item] as const)
    : Object.entries(readObject(member(signed, "ecu_version_manifests"), "ecu_version_manifests"));
  if (entries.length > MAX_ECUS) throw malformed(`it reports more than ${MAX_ECUS} ECUs`);
  return entries.map(([serial, item]) => readEcu(located, serial, readObject(item, "an ECU report")));
}

function readEcu(located: LocatedJson, serial: string | null, envelope: JsonObject): EcuReport {
  const signed = readObject(member(envelope, "signed"), "signed of an ECU");
  const statedSerial = readSerial(member(signed, "ecu_serial"), "ecu_serial");
  const counter = member(signed, "report_counter");
  return {
    ...readSignedPart(located, envelope, signed),
    serial: serial ?? statedSerial,
    statedSerial,
    installedImage: readImage(readObject(member(signed, "installed_image"), "installed_image")),
    attacksDetected: readString(member(signed, "attacks_detected"), "attacks_detected"),
    reportCounter: typeof counter === "string" ? counter : null,
    operationResult: readOperationResult(member(signed, "custom")),
  };
}

/** Some devices report an empty hash (their target named only sha512): kept as the empty text, which matches nothing. */
function readImage(image: JsonObject): InstalledImage {
  const fileinfo = readObject(member(image, "fileinfo"), "fileinfo");
  const sha256 = member(readObject(member(fileinfo, "hashes"), "hashes"), "sha256");
  const filepath = readString(member(image, "filepath"), "filepath");
  if (filepath.length > 4096) throw malformed("a file path is too long");
  return {
    filepath,
    sha256: sha256 === "" || sha256 === undefined ? "" : readHex(sha256, "sha256", 64),
    length: readInteger(member(fileinfo, "length"), "length"),
  };
}

function readOperationResult(custom: Json | undefined): OperationResult | null {
  const result = isJsonObject(custom) ? member(custom, "operation_result") : undefined;
  if (!isJsonObject(result)) return null;
  return {
    id: readString(member(result, "id") ?? "", "id"),
    resultCode: readInteger(member(result, "result_code"), "result_code", Number.MIN_SAFE_INTEGER),
    resultText: readString(member(result, "result_text") ?? "", "result_text"),
  };
}

function readReport(value: Json): ReportOutcome {
  try {
    const report = readObject(member(readObject(value, "installation_report"), "report"), "report");
    const items = readArray(member(report, "items"), "items").map((item) => {
      const entry = readObject(item, "an item");
      return { ecu: readSerial(member(entry, "ecu"), "ecu"), result: readResult(member(entry, "result")) };
    });
    const correlationId = readString(member(report, "correlation_id"), "correlation_id");
    if (correlationId === "" || items.length > MAX_ECUS) return { kind: "unreadable", raw: value };
    const rawReport = readString(member(report, "raw_report") ?? "", "raw_report");
    return {
      kind: "present",
      report: { correlationId, result: readResult(member(report, "result")), items, rawReport },
    };
  } catch (error) {
    if (!isAppError(error, "uptane.malformed")) throw error;
    return { kind: "unreadable", raw: value };
  }
}

function readResult(value: Json | undefined): InstallationResult {
  const result = readObject(value, "result");
  const success = member(result, "success");
  if (typeof success !== "boolean") throw malformed("success must be true or false");
  return {
    success,
    code: readString(member(result, "code"), "code"),
    description: readString(member(result, "description") ?? "", "description"),
  };
}

function readSerial(value: Json | undefined, what: string): string {
  const serial = readString(value, what);
  if (serial.length < 1 || serial.length > 64) throw malformed(`${what} must have 1 to 64 characters`);
  return serial;
}

function formatOf(signed: JsonObject, ecus: readonly EcuReport[]): ParsedManifest["format"] {
  if (member(signed, "installation_report") !== undefined) return "v3";
  if (isJsonArray(member(signed, "ecu_version_manifest"))) return "v1";
  return ecus.some((ecu) => ecu.operationResult !== null) ? "v2" : "v3";
}

/** Member order does not matter to the hash; JSON.stringify escapes lone surrogates, so any parsed value has one. */
function contentHash(signed: JsonObject): string {
  const text = JSON.stringify(signed, (name: string, value: unknown) => {
    if (name === "signatures" || name === "report_counter") return undefined;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
  });
  return createHash("sha256").update(text).digest("hex");
}

export type EcuManifestInput = {
  readonly serial: string;
  readonly installedImage: InstalledImage;
  readonly attacksDetected?: string;
  /** Set for the primary only. */
  readonly reportCounter?: number;
};

/** One ECU's signed version report, as a device prints it. @throws AppError `uptane.not_canonical` @see contracts/aktualizr-client.md section 7 */
export function buildEcuManifest(input: EcuManifestInput, signer: Signer): JsonObject {
  const { filepath, sha256, length } = input.installedImage;
  const never = "1970-01-01T00:00:00Z";
  return envelope(
    {
      attacks_detected: input.attacksDetected ?? "",
      ecu_serial: input.serial,
      installed_image: { filepath, fileinfo: { hashes: { sha256 }, length } },
      previous_timeserver_time: never,
      timeserver_time: never,
      ...(input.reportCounter === undefined ? {} : { report_counter: String(input.reportCounter) }),
    },
    signer,
  );
}

/** The body of `PUT /director/manifest`. @throws AppError `uptane.not_canonical` @see contracts/aktualizr-client.md section 7 */
export function buildManifest(
  input: {
    readonly primarySerial: string;
    readonly ecus: Readonly<Record<string, JsonObject>>;
    readonly report: InstallationReport | null;
  },
  primary: Signer,
): Buffer {
  return canonicalBytes(
    envelope(
      {
        primary_ecu_serial: input.primarySerial,
        ecu_version_manifests: input.ecus,
        ...(input.report === null ? {} : { installation_report: printReport(input.report) }),
      },
      primary,
    ),
  );
}

function printReport({ correlationId, result, items, rawReport }: InstallationReport): JsonObject {
  return {
    content_type: "application/vnd.com.here.otac.installationReport.v1",
    report: { correlation_id: correlationId, items, raw_report: rawReport, result },
  };
}

function envelope(signed: JsonObject, signer: Signer): JsonObject {
  const { keyId, method } = signer;
  return { signatures: [{ keyid: keyId, method, sig: signer.sign(canonicalBytes(signed)) }], signed };
}
