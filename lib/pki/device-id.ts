import { createHash } from "node:crypto";
import type { CertificateFacts } from "#lib/pki/certificates.ts";

/** The fields of a certificate that may carry the device's id. */
export const DEVICE_ID_FIELDS = ["cn", "serial_number", "ou", "uid", "san_dns", "san_uri"] as const;
export type DeviceIdField = (typeof DEVICE_ID_FIELDS)[number];
export const DEVICE_ID_FORMS = ["uuid", "name"] as const;

/** Where an authority's certificates say which device they are for. */
export type DeviceIdRule = {
  readonly field: DeviceIdField;
  /** The field's text with `{id}` in the id's place, as in `urn:dev:{id}`. */
  readonly template: string;
  /** `uuid`: the id is the device's UUID; `name`: any text, from which the UUID follows. */
  readonly form: (typeof DEVICE_ID_FORMS)[number];
};

export type DeviceIdentity = {
  readonly uuid: string;
  /** What the certificate calls the device. */
  readonly id: string;
};

/** The rule of the OTA Connect community edition: the common name is the device's UUID. */
export const COMMON_NAME_IS_UUID: DeviceIdRule = { field: "cn", template: "{id}", form: "uuid" };

/** RFC 9562 text form, lower case only: the value becomes part of paths, and one device must not have two spellings. */
export const CANONICAL_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Which device a certificate is for. A name that is not a UUID becomes the same UUID always and everywhere (version 5).
 *
 * @returns null when the field is absent, there more than once, or not of the rule's form
 * @see RFC 9562 section 5.5
 */
export function identifyDevice(leaf: CertificateFacts, rule: DeviceIdRule): DeviceIdentity | null {
  const id = withoutTemplate(fieldOf(leaf, rule.field), rule.template);
  if (id === null || !NAME.test(id) || id.includes("\ufffd") || id.trim() !== id) return null;
  if (CANONICAL_UUID.test(id)) return { id, uuid: id };
  return rule.form === "name" ? { id, uuid: uuidOfName(id) } : null;
}

/** One line of at most 200 characters. What was not printable has become U+FFFD when the certificate was read. */
const NAME = /^[^\p{C}]{1,200}$/u;

function fieldOf(leaf: CertificateFacts, field: DeviceIdField): string | null {
  switch (field) {
    case "cn":
      return leaf.subjectCn;
    case "serial_number":
      return leaf.subjectSerialNumber;
    case "ou":
      return leaf.subjectOu;
    case "uid":
      return leaf.subjectUid;
    case "san_dns":
      return onlyOne(leaf.sanDns);
    case "san_uri":
      return onlyOne(leaf.sanUri);
  }
}

function onlyOne(values: readonly string[]): string | null {
  return values.length === 1 ? (values[0] ?? null) : null;
}

function withoutTemplate(text: string | null, template: string): string | null {
  const [before = "", after = "", ...more] = template.split("{id}");
  if (text === null || more.length > 0 || !template.includes("{id}")) return null;
  const fits = text.startsWith(before) && text.endsWith(after) && text.length > before.length + after.length;
  return fits ? text.slice(before.length, text.length - after.length) : null;
}

/** Names of devices have a space of their own among name-based UUIDs. */
const NAME_SPACE = Buffer.from("5c1d3b5e0f2a4f6c9a7e2b8d4c6f1a03", "hex");

function uuidOfName(name: string): string {
  const bytes = createHash("sha1").update(NAME_SPACE).update(name, "utf8").digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
