import type { AdmissionCode } from "#lib/pki/admission.ts";

/** What goes wrong before there is a request: at the device door's handshake, or with a client that speaks no TLS. */
export const HANDSHAKE_CODES = [
  "tls_too_old",
  "tls_no_shared_cipher",
  "plain_http",
  "not_tls",
  "door_not_trusted",
  "key_unusable",
  "tls_failed",
] as const;
export type HandshakeCode = (typeof HANDSHAKE_CODES)[number];

/** Kept of each row of the list: a flood from everywhere must not make it grow. */
export const MOST_REFUSAL_ADDRESSES = 16;

export type RefusalWords = {
  /** What happened. */
  readonly meaning: string;
  readonly mend: string;
  /** `admit`: a person may let the certificate in; `look`: its record says more; none: the device must come with something else. */
  readonly remedy?: "admit" | "look";
};

/** Every reason for which the device door refuses, in words for people. docs/guides/refused.md is printed from it. */
export const REFUSALS = {
  no_certificate: {
    meaning: "No client certificate was sent.",
    mend: "Check the client's paths to certificate and key, and that it is not behind a proxy that ends TLS.",
  },
  malformed: { meaning: "The client certificate can't be read.", mend: "Make a new one." },
  unknown_authority: {
    meaning: "No authority here has its issuer's name.",
    mend: "Upload its authority if it is one of yours; else issue credentials here, or enrol the device.",
  },
  bad_signature: {
    meaning: "It names an authority known here, which did not sign it.",
    mend: "A forgery, or an authority of an earlier install: issue new credentials.",
  },
  authority_revoked: { meaning: "Its authority was revoked.", mend: "Issue credentials of another authority." },
  authority_expired: {
    meaning: "Its authority is outside its own validity.",
    mend: "Renew the authority, and issue credentials of the new one.",
  },
  authority_closed: {
    meaning: "Its authority admits no newcomers.",
    mend: "Reopen the authority, or issue credentials of another one.",
  },
  address_not_allowed: {
    meaning: "Its authority's devices may not come from there.",
    mend: "Add the network to the authority's source networks, or connect the device from one of them.",
  },
  altered_copy: {
    meaning: "It is a known certificate in another encoding.",
    mend: "Use the original file.",
  },
  revoked: {
    meaning: "Somebody revoked it.",
    mend: "Issue new credentials: a revocation is for good.",
    remedy: "look",
  },
  rejected: {
    meaning: "Somebody rejected it.",
    mend: "Issue new credentials: a rejection is for good.",
    remedy: "look",
  },
  superseded: {
    meaning: "A newer certificate of its device took its place.",
    mend: "Have the device use its newer certificate.",
    remedy: "look",
  },
  held: { meaning: "Somebody put it on hold.", mend: "Release it.", remedy: "look" },
  weak_signature: {
    meaning: "It is signed with a hash that is broken.",
    mend: "Make a new one, with SHA-256 or better.",
  },
  weak_key: {
    meaning: "Its key is too weak, or of an unknown kind.",
    mend: "Make a new key: P-256, P-384, P-521, Ed25519, or RSA from 2048 bits.",
  },
  wrong_usage: {
    meaning: "It is not for authenticating a client.",
    mend: "Make a new one, with digitalSignature and clientAuth if it names usages at all.",
  },
  unsupported_extension: {
    meaning: "It demands what is not understood here.",
    mend: "Make a new one without that critical extension.",
  },
  not_yet_valid: { meaning: "Its validity has not begun.", mend: "Check the clock of what issued it." },
  expired: { meaning: "Its validity has ended.", mend: "Issue new credentials, or enrol the device again." },
  device_id_missing: {
    meaning: "It does not name a device as its authority's rule asks.",
    mend: "Change the rule of the authority, or make a new one.",
  },
  subject_not_uuid: {
    meaning: "Its common name is no UUID in lower case.",
    mend: "Make a new one, or let the authority's rule take names of another form.",
  },
  subject_not_allowed: {
    meaning: "Its subject does not match its authority's pattern.",
    mend: "Change the pattern, or make a new one.",
  },
  key_type_not_allowed: {
    meaning: "Its authority admits other kinds of keys.",
    mend: "Change the authority's rule, or make a new key.",
  },
  validity_too_long: {
    meaning: "It is valid for longer than its authority admits.",
    mend: "Change the authority's rule, or make a new one.",
  },
  too_many_newcomers: {
    meaning: "Its authority had its newcomers of this hour.",
    mend: "The device may try again later; admit it now if it is expected.",
    remedy: "admit",
  },
  not_on_allowlist: {
    meaning: "Its authority admits what is on the allowlist, and it is not.",
    mend: "Admit it, or put what names it on the allowlist.",
    remedy: "admit",
  },
  another_certificate_allowed: {
    meaning: "Its device has another certificate that is allowed.",
    mend: "Decide under Waiting: let it replace the other, or reject it.",
    remedy: "look",
  },
  pending: { meaning: "It waits for a person.", mend: "Decide under Waiting.", remedy: "look" },

  tls_too_old: {
    meaning: "The client offered nothing newer than TLS 1.1.",
    mend: "Have it speak TLS 1.2 or 1.3: usually a matter of its TLS library's age.",
  },
  tls_no_shared_cipher: {
    meaning: "The client offered no cipher suite that is safe.",
    mend: "Have it offer AES-GCM or ChaCha20 with ephemeral keys (ECDHE).",
  },
  plain_http: {
    meaning: "The client spoke plain HTTP to the port of TLS.",
    mend: "Use https:// in its address of the gateway.",
  },
  not_tls: { meaning: "The client spoke no TLS.", mend: "Nothing of ours: a scan, or another protocol at this port." },
  door_not_trusted: {
    meaning: "The client did not accept the door's own certificate.",
    mend: "Give it the current root.crt, and check the host name it connects to and its clock.",
  },
  key_unusable: {
    meaning: "The client could not prove its key, or TLS takes no such key.",
    mend: "Check that key and certificate belong together; make a key of another kind.",
  },
  tls_failed: {
    meaning: "The handshake broke off.",
    mend: "Look at the client's log; one that repeats is often a proxy or a timeout in between.",
  },

  not_a_provisioning_certificate: {
    meaning: "It asked to be registered without a shared certificate that is known.",
    mend: "Use the credentials of Trust → Enrolment.",
  },
  provisioning_revoked: { meaning: "Its shared certificate was revoked.", mend: "Make a new one." },
  provisioning_not_yet_valid: {
    meaning: "Its shared certificate is not valid yet.",
    mend: "Wait, or make another one.",
  },
  provisioning_expired: { meaning: "Its shared certificate has expired.", mend: "Make a new one." },
  provisioning_exhausted: {
    meaning: "As many devices as it is good for have registered with it.",
    mend: "Make a new one, with as many uses as there are devices.",
  },
  device_already_registered: {
    meaning: "Another device is registered under this id.",
    mend: "Delete that one first if it lost its credentials.",
  },

  token_unknown: { meaning: "The enrolment token is not known.", mend: "Copy it again, or make a new one." },
  token_not_yet_valid: { meaning: "The enrolment token is not valid yet.", mend: "Wait, or make another one." },
  token_expired: { meaning: "The enrolment token has expired.", mend: "Make a new one." },
  token_exhausted: {
    meaning: "As many devices as it is good for have enrolled with it.",
    mend: "Make a new one, with as many uses as there are devices.",
  },
  token_revoked: { meaning: "The enrolment token was revoked.", mend: "Make a new one." },
  csr_malformed: { meaning: "What was sent is no request for a certificate.", mend: "Send PKCS#10 in base64." },
  csr_bad_proof: {
    meaning: "The request is not signed by the key it asks for.",
    mend: "Make the request with the device's own key.",
  },
  csr_weak_key: {
    meaning: "The request's key is not accepted.",
    mend: "Make a key that the guide to enrolment lists.",
  },
  key_refused: {
    meaning: "A certificate of the request's key was revoked, rejected or replaced.",
    mend: "Make a new key.",
  },
  key_known: { meaning: "Another certificate of the request's key is known.", mend: "Make a new key." },
  renewal_not_in_place: {
    meaning: "A newer certificate has taken the place of the one that asks.",
    mend: "Renew with the newer one.",
  },
  too_many_renewals: {
    meaning: "The device had too many certificates within a day.",
    mend: "See why it asks so often; it may again tomorrow.",
  },
  authority_not_offered: {
    meaning: "The authority of the address is not the one that issues to it.",
    mend: "Leave the label out of the address, or use the right one.",
  },
  no_issuing_authority: {
    meaning: "No open authority issues certificates here.",
    mend: "Open one that has its key, or create one.",
  },
} as const satisfies Readonly<Record<AdmissionCode | HandshakeCode, RefusalWords>> & Record<string, RefusalWords>;

/** @returns null for a code that an earlier or later version stored */
export function wordsOf(code: string): RefusalWords | null {
  const words: Readonly<Record<string, RefusalWords>> = REFUSALS;
  return Object.hasOwn(words, code) ? (words[code] ?? null) : null;
}
