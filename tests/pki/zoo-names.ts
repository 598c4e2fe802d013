import { objectIdentifier, sequence, setOf } from "#lib/pki/der-writer.ts";
import { alternativeName, CN, commonName, craft, DEVICE, nameOf, TEXT } from "./crafted.ts";
import type { ZooKind } from "./zoo.ts";

const ORGANIZATIONAL_UNIT = "2.5.4.11";
const DNS = 2;
const uuid = () => crypto.randomUUID();

/** A certificate whose common name is this, in this encoding. */
const named = (kind: string, subject: () => Buffer, decision: string): ZooKind => ({
  kind,
  make: (ca) => craft(ca, { subject: subject() }),
  decision,
});
const encoded = (encoding: keyof typeof TEXT, decision: string): ZooKind =>
  named(`a common name as ${encoding}`, () => nameOf([CN, TEXT[encoding](uuid())]), decision);

/** Subjects. */
export const NAME_KINDS: readonly ZooKind[] = [
  encoded("utf8", "let in"),
  encoded("printable", "let in"),
  encoded("t61", "let in"),
  encoded("ia5", "let in"),
  encoded("bmp", "let in"),
  encoded("universal", "let in"),
  named("a common name in capitals", () => commonName("F3B1D1F6-6F2A-4D7A-9F7C-0C4C1B7A9E10"), "subject_not_uuid"),
  named("NUL behind the common name", () => commonName(`${uuid()}\0`), "subject_not_uuid"),
  named("NUL and more behind the common name", () => commonName(`${uuid()}\0.example.com`), "subject_not_uuid"),
  named("NUL in a PrintableString", () => nameOf([CN, TEXT.printable(`${uuid()}\0`)]), "subject_not_uuid"),
  named("a line feed behind the common name", () => commonName(`${uuid()}\n`), "subject_not_uuid"),
  named("a blank behind the common name", () => commonName(`${uuid()} `), "subject_not_uuid"),
  named("a blank before the common name", () => commonName(` ${uuid()}`), "subject_not_uuid"),
  named("braces around the common name", () => commonName(`{${uuid()}}`), "subject_not_uuid"),
  named("digits of another alphabet", () => commonName(uuid().replace(/[0-9]/g, "٣")), "subject_not_uuid"),
  named("a letter that looks like another", () => commonName(`а${uuid().slice(1)}`), "subject_not_uuid"),
  named("a text direction mark in the common name", () => commonName(`${uuid()}\u202e`), "subject_not_uuid"),
  {
    kind: "bytes that are no UTF-8",
    make: (ca) => craft(ca, { subject: nameOf([CN, Buffer.from([0x0c, 2, 0xc3, 0x28])]) }),
    decision: "malformed",
    door: "client: invalid_utf8string",
    nginx: "client: invalid_utf8string",
  },
  named("a path as common name", () => commonName("../../admin"), "subject_not_uuid"),
  named("a second name in one attribute's text", () => commonName(`x, CN=${uuid()}`), "subject_not_uuid"),
  named("a common name of 4,000 characters", () => commonName("x".repeat(4_000)), "subject_not_uuid"),
  named("an empty common name", () => commonName(""), "subject_not_uuid"),
  named("an empty subject", () => nameOf(), "subject_not_uuid"),
  named("two common names", () => nameOf([CN, TEXT.utf8(uuid())], [CN, TEXT.utf8(uuid())]), "subject_not_uuid"),
  named(
    "two common names in one set",
    () => sequence(setOf(...[uuid(), uuid()].map((text) => sequence(objectIdentifier(CN), TEXT.utf8(text))))),
    "subject_not_uuid",
  ),
  named(
    "a common name and a unit in one set",
    () =>
      sequence(
        setOf(
          sequence(objectIdentifier(CN), TEXT.utf8(uuid())),
          sequence(objectIdentifier(ORGANIZATIONAL_UNIT), TEXT.utf8("Line 4")),
        ),
      ),
    "let in",
  ),
  {
    kind: "the device in the alternative name only",
    make: (ca) => craft(ca, { subject: nameOf(), extensions: [...DEVICE, alternativeName(DNS, uuid())] }),
    decision: "subject_not_uuid",
  },
  {
    kind: "another device in the alternative name",
    make: (ca) => craft(ca, { extensions: [...DEVICE, alternativeName(DNS, uuid())] }),
    decision: "let in",
  },
  {
    kind: "NUL in the alternative name",
    make: (ca) => craft(ca, { extensions: [...DEVICE, alternativeName(DNS, "a.example\0.example.com")] }),
    decision: "let in",
  },
  named("a name that is no UUID", () => commonName("Truck 17"), "subject_not_uuid"),
  {
    kind: "a name that is no UUID, where names are taken",
    authority: "naming",
    make: (ca) => craft(ca, { subject: commonName("Truck 17") }),
    decision: "let in",
  },
  {
    kind: "a name in another script, where names are taken",
    authority: "naming",
    make: (ca) => craft(ca, { subject: commonName("Грузовик 18 🚚") }),
    decision: "let in",
  },
  {
    kind: "NUL in a name, where names are taken",
    authority: "naming",
    make: (ca) => craft(ca, { subject: commonName("Truck\x0019") }),
    decision: "device_id_missing",
  },
];
