import "reflect-metadata";
import { createHash, type KeyObject } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  X509Certificate,
} from "@peculiar/x509";
import { certificateParts } from "#lib/pki/certificate-parts.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import { REASON_CODES, type ReasonName } from "#lib/pki/crl.ts";
import {
  element,
  enumerated,
  explicit,
  extension,
  generalizedTime,
  NULL,
  objectIdentifier,
  octets,
  sequence,
} from "#lib/pki/der-writer.ts";
import type { IssuingCa } from "#lib/pki/issue.ts";
import type { CertificateId } from "#lib/pki/ocsp-request.ts";
import { type IssuedCertificate, keyIdentifier, signCertificate } from "#lib/pki/sign.ts";
import { sealDer } from "#lib/pki/signature.ts";

export type OcspStatus =
  | { readonly status: "good" | "unknown" }
  | { readonly status: "revoked"; readonly at: Date; readonly reason: ReasonName };

/** One who may answer for an authority: a certificate of that authority for this purpose, and its key. */
export type OcspResponder = IssuingCa;

/**
 * Signs the answer about the certificates of one request.
 *
 * @returns DER of an OCSPResponse
 * @see RFC 6960 section 4.2.1
 */
export function signOcspResponse(order: {
  responder: OcspResponder;
  answers: readonly (OcspStatus & { id: CertificateId })[];
  thisUpdate: Date;
  nextUpdate: Date;
  nonce: Buffer | null;
}): Buffer {
  const { responder, nonce } = order;
  const key = createHash("sha1").update(certificateParts(responder.certificate.der).publicKeyBits).digest();
  const times = [generalizedTime(order.thisUpdate), explicit(0, generalizedTime(order.nextUpdate))];
  const signedPart = sequence(
    explicit(2, octets(key)),
    generalizedTime(order.thisUpdate),
    sequence(...order.answers.map((answer) => sequence(answer.id.der, statusDer(answer), ...times))),
    ...(nonce === null ? [] : [explicit(1, sequence(extension(OID.nonce, octets(nonce))))]),
  );
  const basic = sealDer(responder.signer, signedPart, explicit(0, sequence(responder.certificate.der)));
  return sequence(enumerated(0), explicit(0, sequence(objectIdentifier(OID.basic), octets(basic))));
}

/** The answers that nobody signs. @see RFC 6960 section 4.2.1 (OCSPResponseStatus), RFC 5019 section 2.2.3 (unauthorized) */
export function ocspError(status: "malformedRequest" | "internalError" | "tryLater" | "unauthorized"): Buffer {
  return sequence(enumerated({ malformedRequest: 1, internalError: 2, tryLater: 3, unauthorized: 6 }[status]));
}

/** By what questions call an authority. */
export type IssuerDigests = { readonly name: Buffer; readonly key: Buffer };

/** The same for every question: keep it, for reading a certificate costs more than all else about one. */
export function issuerDigests(
  authority: Pick<CertificateFacts, "der">,
  hash: Exclude<CertificateId["hash"], "unknown">,
): IssuerDigests {
  const { subjectName, publicKeyBits } = certificateParts(authority.der);
  const digest = (bytes: Buffer) => createHash(hash).update(bytes).digest();
  return { name: digest(subjectName), key: digest(publicKeyBits) };
}

/** Is it this authority that somebody asks about? */
export function isAskedAbout(
  id: CertificateId,
  digestsOf: (hash: Parameters<typeof issuerDigests>[1]) => IssuerDigests,
): boolean {
  if (id.hash === "unknown") return false;
  const { name, key } = digestsOf(id.hash);
  return name.equals(id.issuerNameHash) && key.equals(id.issuerKeyHash);
}

/**
 * Signs the certificate with which a key answers for its authority. Nobody asks whether it was revoked: it is short-lived instead.
 *
 * @throws AppError `pki.unsupported`
 * @see RFC 6960 section 4.2.2.2 (delegation) and 4.2.2.2.1 (id-pkix-ocsp-nocheck)
 */
export function issueOcspResponderCertificate(order: {
  ca: IssuingCa;
  publicKey: KeyObject;
  notBefore: Date;
  notAfter: Date;
}): Promise<IssuedCertificate> {
  const { ca } = order;
  return signCertificate({
    subject: new Name([{ CN: ["Gatehouse OCSP responder"] }]),
    issuer: new X509Certificate(new Uint8Array(ca.certificate.der)).subjectName,
    publicKey: order.publicKey,
    signer: ca.signer,
    notBefore: order.notBefore,
    notAfter: order.notAfter,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([OID.signing]),
      new Extension(OID.noCheck, false, new Uint8Array(NULL)),
      new AuthorityKeyIdentifierExtension(ca.certificate.ski ?? keyIdentifier(ca.signer.publicKey)),
    ],
  });
}

function statusDer(answer: OcspStatus): Buffer {
  if (answer.status !== "revoked") return element(answer.status === "good" ? 0x80 : 0x82);
  const code = REASON_CODES[answer.reason];
  return element(0xa1, generalizedTime(answer.at), ...(code === 0 ? [] : [explicit(0, enumerated(code))]));
}

const OID = {
  basic: "1.3.6.1.5.5.7.48.1.1",
  nonce: "1.3.6.1.5.5.7.48.1.2",
  noCheck: "1.3.6.1.5.5.7.48.1.5",
  signing: "1.3.6.1.5.5.7.3.9",
} as const;
