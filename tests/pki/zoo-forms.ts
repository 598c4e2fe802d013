import { bigInteger, bits, element, extension, NULL, objectIdentifier, octets, sequence } from "#lib/pki/der-writer.ts";
import { craft, DEVICE, wrapped } from "./crafted.ts";
import type { ZooKind } from "./zoo.ts";

const OF_NOBODY = "1.3.6.1.4.1.55555.1";
const NAME_CONSTRAINTS = extension(
  "2.5.29.30",
  sequence(element(0xa0, sequence(element(0x82, Buffer.from("example.com"))))),
  true,
);
const POLICY_CONSTRAINTS = extension("2.5.29.36", sequence(element(0x80, Buffer.from([0]))), true);
const CERTIFICATE_POLICIES = (critical: boolean) =>
  extension("2.5.29.32", sequence(sequence(objectIdentifier("2.5.29.32.0"))), critical);
const padding = (bytes: number) => extension(OF_NOBODY, octets(Buffer.alloc(bytes, 0x61)));

const extended = (kind: string, added: readonly Buffer[], decision: string): ZooKind => ({
  kind,
  make: (ca) => craft(ca, { extensions: [...DEVICE, ...added] }),
  decision,
});
const numbered = (kind: string, serial: Buffer, decision: string): ZooKind => ({
  kind,
  make: (ca) => craft(ca, { serial }),
  decision,
});
/** What the client's own OpenSSL does not send. */
const unsent = (kind: string, serial: Buffer, reason: string): ZooKind => ({
  ...numbered(kind, serial, "malformed"),
  door: `client: ${reason}`,
  nginx: `client: ${reason}`,
});

/** Extensions, numbers, versions and encodings. */
export const FORM_KINDS: readonly ZooKind[] = [
  extended("an extension twice", [DEVICE[0] ?? NULL], "malformed"),
  extended("an unknown extension", [extension(OF_NOBODY, NULL)], "let in"),
  extended("an unknown critical extension", [extension(OF_NOBODY, NULL, true)], "unsupported_extension"),
  extended("critical name constraints", [NAME_CONSTRAINTS], "unsupported_extension"),
  extended("critical policy constraints", [POLICY_CONSTRAINTS], "unsupported_extension"),
  extended("critical policies", [CERTIFICATE_POLICIES(true)], "unsupported_extension"),
  extended("policies", [CERTIFICATE_POLICIES(false)], "let in"),
  extended("an extension that is no DER", [extension("2.5.29.14", Buffer.from([0x04, 0x7f]))], "malformed"),
  extended("an extension of 14,000 bytes", [padding(14_000)], "let in"),
  extended("an extension of 17,000 bytes", [padding(17_000)], "malformed"),
  extended("an extension of 60,000 bytes", [padding(60_000)], "malformed"),
  extended("300 extensions", manyExtensions(300), "let in"),
  {
    kind: "no extensions: aktualizr-cert-provider's form",
    make: (ca) => craft(ca, { extensions: null }),
    decision: "let in",
  },
  { kind: "an empty list of extensions", make: (ca) => craft(ca, { extensions: [] }), decision: "let in" },
  { kind: "version 1", make: (ca) => craft(ca, { version: null, extensions: null }), decision: "let in" },
  { kind: "version 1 with extensions", make: (ca) => craft(ca, { version: null }), decision: "let in" },
  { kind: "version 4", make: (ca) => craft(ca, { version: 3 }), decision: "let in" },
  numbered("serial number 0", bigInteger(0n), "let in"),
  numbered("a negative serial number", bigInteger(-5n), "let in"),
  numbered("a serial number of 20 bytes", element(0x02, Buffer.alloc(20, 0x71)), "let in"),
  numbered("a serial number of 21 bytes", element(0x02, Buffer.alloc(21, 0x72)), "let in"),
  numbered("a serial number of 200 bytes", element(0x02, Buffer.alloc(200, 0x73)), "let in"),
  unsent("a serial number with a needless zero", element(0x02, Buffer.from([0, 0, 0x11])), "illegal_padding"),
  unsent("an empty serial number", element(0x02), "illegal_zero_content"),
  {
    kind: "TRUE as 1 in a critical extension",
    make: (ca) =>
      craft(ca, {
        extensions: [...DEVICE, sequence(objectIdentifier(OF_NOBODY), element(0x01, Buffer.from([1])), octets(NULL))],
      }),
    decision: "unsupported_extension",
  },
  {
    kind: "an indefinite length within",
    make: (ca) => craft(ca, { extensions: [...DEVICE, indefinite(extension(OF_NOBODY, NULL))] }),
    decision: "let in",
  },
  // A client's OpenSSL mends the outer form of these before it sends them: by header alone they come as they are.
  {
    kind: "an indefinite length around",
    make: (ca) => {
      const { der, privateKeyPem } = craft(ca);
      return wrapped(indefinite(der), privateKeyPem);
    },
    decision: "malformed",
    door: "let in",
    nginx: "let in",
  },
  {
    kind: "a length in more bytes than it needs",
    make: (ca) => {
      const { der, privateKeyPem } = craft(ca);
      const content = der.subarray(4);
      const long = Buffer.from([0x30, 0x83, 0, content.length >> 8, content.length & 0xff]);
      return wrapped(Buffer.concat([long, content]), privateKeyPem);
    },
    decision: "malformed",
    door: "let in",
    nginx: "let in",
  },
  {
    kind: "bytes behind it",
    make: (ca) => {
      const { der, privateKeyPem } = craft(ca);
      return wrapped(Buffer.concat([der, Buffer.from("more")]), privateKeyPem);
    },
    decision: "malformed",
    door: "client: too_long",
    nginx: "client: too_long",
  },
  {
    kind: "the last bytes missing",
    make: (ca) => {
      const { der, privateKeyPem } = craft(ca);
      return wrapped(der.subarray(0, -8), privateKeyPem);
    },
    decision: "malformed",
    door: "client: too_long",
    nginx: "client: too_long",
  },
  {
    kind: "no certificate, but its signature",
    make: (ca) => wrapped(sequence(bits(Buffer.alloc(70))), craft(ca).privateKeyPem),
    decision: "malformed",
    door: "client: wrong_tag",
    nginx: "client: wrong_tag",
  },
];

function manyExtensions(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => extension(`${OF_NOBODY}.${index}`, NULL));
}

/** The same SEQUENCE in BER, with an end mark in place of its length. */
function indefinite(der: Buffer): Buffer {
  const header = (der[1] ?? 0) < 0x80 ? 2 : 2 + ((der[1] ?? 0) & 0x7f);
  return Buffer.concat([Buffer.from([0x30, 0x80]), der.subarray(header), Buffer.alloc(2)]);
}
