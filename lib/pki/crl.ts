import { AppError } from "#lib/errors/app-error.ts";
import { certificateParts } from "#lib/pki/certificate-parts.ts";
import { type DerValue, derValue, derValues, extensionsOf } from "#lib/pki/der.ts";
import { bigInteger, element, enumerated, explicit, extension, integer, sequence, time } from "#lib/pki/der-writer.ts";
import type { IssuingCa } from "#lib/pki/issue.ts";
import { keyIdentifier } from "#lib/pki/sign.ts";
import { algorithmIdentifier, sealDer } from "#lib/pki/signature.ts";

/** CRLReason. @see RFC 5280 section 5.3.1 */
export const REASON_CODES = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  /** In deltas only. */
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const;
export type ReasonName = keyof typeof REASON_CODES;

/** A certificate that its authority no longer stands for. */
export type RevokedEntry = { readonly serialHex: string; readonly at: Date; readonly reason: ReasonName };

export type CrlOrder = {
  readonly ca: IssuingCa;
  readonly number: bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly entries: readonly RevokedEntry[];
  /** Makes it a delta to this complete list. */
  readonly baseNumber?: bigint;
  /** Complete lists only: where the delta to this one is. */
  readonly deltaUrl?: string;
};

/** What a list of ours says. */
export type CrlContent = {
  readonly number: bigint;
  /** Null: a complete list. */
  readonly baseNumber: bigint | null;
  readonly entries: ReadonlyMap<string, Omit<RevokedEntry, "serialHex">>;
};

/**
 * Signs a certificate revocation list, version 2: complete, or the changes since one.
 *
 * @returns DER
 * @throws AppError `pki.unsupported`
 * @see RFC 5280 section 5.1 to 5.3
 */
export function signCrl(order: CrlOrder): Buffer {
  const { ca, baseNumber, deltaUrl } = order;
  const authorityKey = ca.certificate.ski ?? keyIdentifier(ca.signer.publicKey);
  const extensions = [
    extension(OID.authorityKeyIdentifier, sequence(element(0x80, Buffer.from(authorityKey, "hex")))),
    extension(OID.crlNumber, bigInteger(order.number)),
    ...(baseNumber === undefined ? [] : [extension(OID.deltaIndicator, bigInteger(baseNumber), true)]),
    ...(deltaUrl === undefined || baseNumber !== undefined
      ? []
      : [extension(OID.freshestCrl, distributionPoint(deltaUrl))]),
  ];
  const revoked = order.entries.map(entryDer);
  return sealDer(
    ca.signer,
    sequence(
      integer(1),
      algorithmIdentifier(ca.signer),
      certificateParts(ca.certificate.der).subjectName,
      time(order.thisUpdate),
      time(order.nextUpdate),
      // Left out when nothing is revoked: an empty list is not allowed.
      ...(revoked.length === 0 ? [] : [sequence(...revoked)]),
      explicit(0, sequence(...extensions)),
    ),
  );
}

/**
 * What changed from one complete list to what holds now, for a delta.
 *
 * @param now.earlier the delta to the same base before this one: all that it named is named again, for whoever holds a complete
 *   list that was made in between
 * @see RFC 5280 section 5.2.4 and 5.3.1 (removeFromCRL)
 */
export function deltaOf(
  base: CrlContent,
  current: readonly RevokedEntry[],
  now: { at: Date; earlier: CrlContent | null },
): RevokedEntry[] {
  const touched = now.earlier?.entries ?? new Map<string, unknown>();
  const listed = new Set(current.map((entry) => plainSerial(entry.serialHex)));
  const changed = current.filter((entry) => {
    const serial = plainSerial(entry.serialHex);
    return touched.has(serial) || !isSame(base.entries.get(serial), entry);
  });
  const gone = [...new Set([...base.entries.keys(), ...touched.keys()])].filter((serial) => !listed.has(serial));
  return [...changed, ...gone.map((serialHex) => ({ serialHex, at: now.at, reason: "removeFromCRL" as const }))];
}

/**
 * Reads a list back that this install signed and stored. It is not for lists from elsewhere: signatures are not checked.
 *
 * @throws AppError `pki.malformed`
 */
export function readCrl(der: Buffer): CrlContent {
  const [signedPart] = derValues(derValue(der).content);
  const members = signedPart === undefined ? [] : derValues(signedPart.content);
  const list = members.slice(5).find(({ tag }) => tag === 0x30);
  const extensions = members.find(({ tag }) => tag === 0xa0);
  const values = extensionsOf(extensions === undefined ? undefined : derValues(extensions.content)[0]);
  const number = values.get(OID.crlNumber);
  if (number === undefined) throw malformed();
  const base = values.get(OID.deltaIndicator);
  return {
    number: readInteger(derValue(number)),
    baseNumber: base === undefined ? null : readInteger(derValue(base)),
    entries: new Map((list === undefined ? [] : derValues(list.content)).map(readEntry)),
  };
}

/** Does the list say exactly this? */
export function saysTheSame(content: CrlContent, entries: readonly RevokedEntry[]): boolean {
  return (
    content.entries.size === entries.length &&
    entries.every((entry) => isSame(content.entries.get(plainSerial(entry.serialHex)), entry))
  );
}

function isSame(listed: Omit<RevokedEntry, "serialHex"> | undefined, entry: RevokedEntry): boolean {
  return listed?.reason === entry.reason;
}

/** A serial as it is compared: hex without leading zeros. */
export function plainSerial(serialHex: string): string {
  return serialNumber(serialHex).toString(16);
}

/** Parsers print what some authorities made negative with a sign. */
function serialNumber(serialHex: string): bigint {
  return serialHex.startsWith("-") ? -BigInt(`0x${serialHex.slice(1)}`) : BigInt(`0x${serialHex}`);
}

function entryDer({ serialHex, at, reason }: RevokedEntry): Buffer {
  const code = REASON_CODES[reason];
  // `unspecified` is said by leaving the reason out (section 5.3.1).
  const extensions = code === 0 ? [] : [sequence(extension(OID.reasonCode, enumerated(code)))];
  return sequence(bigInteger(serialNumber(serialHex)), time(at), ...extensions);
}

function readEntry(value: DerValue): [string, Omit<RevokedEntry, "serialHex">] {
  const [serial, at, extensions] = derValues(value.content);
  if (serial === undefined || at === undefined) throw malformed();
  const reason = extensionsOf(extensions).get(OID.reasonCode);
  const code = reason === undefined ? 0 : (derValue(reason).content[0] ?? 0);
  return [readInteger(serial).toString(16), { at: readTime(at), reason: reasonOf(code) }];
}

/** A CRLDistributionPoints with one full name. */
function distributionPoint(url: string): Buffer {
  return sequence(sequence(element(0xa0, element(0xa0, element(0x86, Buffer.from(url, "latin1"))))));
}

function readInteger({ tag, content }: DerValue): bigint {
  if (tag !== 0x02 || content.length === 0) throw malformed();
  return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString("hex")}`));
}

function readTime({ tag, content }: DerValue): Date {
  const text = content.toString("latin1");
  const digits = tag === 0x17 ? `20${text}` : text;
  const at = new Date(digits.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (Number.isNaN(at.getTime())) throw malformed();
  return at;
}

function reasonOf(code: number): ReasonName {
  for (const [name, known] of Object.entries(REASON_CODES)) if (known === code) return name as ReasonName; // its own key
  throw malformed();
}

function malformed(): AppError {
  return new AppError("pki.malformed", "This is not a revocation list of this install.");
}

const OID = {
  authorityKeyIdentifier: "2.5.29.35",
  crlNumber: "2.5.29.20",
  deltaIndicator: "2.5.29.27",
  freshestCrl: "2.5.29.46",
  reasonCode: "2.5.29.21",
} as const;
