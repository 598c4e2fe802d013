/** Why a device gets no certificate; the codes are what the client, the door's log and the list of refused attempts see. */
export type EnrolmentRefusal = {
  readonly code: (typeof ENROLMENT_REFUSALS)[number];
  readonly sentence: string;
  readonly status: 400 | 401 | 403 | 404 | 409 | 429 | 503;
  /** For people of this install; the client never gets it. */
  readonly detail?: string;
};

export const ENROLMENT_REFUSALS = [
  "token_unknown",
  "token_not_yet_valid",
  "token_expired",
  "token_exhausted",
  "token_revoked",
  "csr_malformed",
  "csr_bad_proof",
  "csr_weak_key",
  "key_refused",
  "key_known",
  "device_already_registered",
  "renewal_not_in_place",
  "too_many_renewals",
  "authority_not_offered",
  "no_issuing_authority",
  "address_not_allowed",
  "subject_not_allowed",
  "key_type_not_allowed",
  "validity_too_long",
  "too_many_newcomers",
] as const;

/** What came of asking for a certificate. */
export type EnrolmentAnswer = { readonly certificateDer: Buffer } | { readonly refusal: EnrolmentRefusal };

export function refuse(
  code: EnrolmentRefusal["code"],
  sentence = REASONS[code].sentence,
): { refusal: EnrolmentRefusal } {
  return { refusal: { code, status: REASONS[code].status, sentence } };
}

const REASONS: Readonly<Record<EnrolmentRefusal["code"], Pick<EnrolmentRefusal, "status" | "sentence">>> = {
  token_unknown: { status: 401, sentence: "This enrolment token is not known here." },
  token_not_yet_valid: { status: 403, sentence: "This enrolment token is not valid yet." },
  token_expired: { status: 403, sentence: "This enrolment token has expired." },
  token_exhausted: {
    status: 403,
    sentence: "As many devices as this enrolment token is good for have enrolled with it.",
  },
  token_revoked: { status: 403, sentence: "This enrolment token has been revoked." },
  csr_malformed: { status: 400, sentence: "The body is no PKCS#10 request in base64." },
  csr_bad_proof: { status: 400, sentence: "The request is not signed by the key that it asks a certificate for." },
  csr_weak_key: { status: 400, sentence: "The request's key is not of a kind that is accepted." },
  key_refused: {
    status: 403,
    sentence: "A certificate of this key was revoked, rejected or replaced. Make a new key.",
  },
  key_known: { status: 403, sentence: "Another certificate of this key is known here. Make a new key." },
  device_already_registered: {
    status: 409,
    sentence: "Another device is registered under this id. Delete it first if it lost its credentials.",
  },
  renewal_not_in_place: {
    status: 403,
    sentence: "A newer certificate has taken the place of this one, so this one can't be renewed.",
  },
  too_many_renewals: { status: 429, sentence: "This device had too many certificates within a day. Try again later." },
  authority_not_offered: { status: 403, sentence: "The authority of this address is not the one that issues to you." },
  no_issuing_authority: { status: 503, sentence: "No authority is open here that issues certificates for devices." },
  address_not_allowed: { status: 403, sentence: "The authority takes no devices from this address." },
  subject_not_allowed: {
    status: 403,
    sentence: "The authority takes no newcomers with a subject such as is issued here.",
  },
  key_type_not_allowed: { status: 403, sentence: "The authority takes no newcomers with a key of this kind." },
  validity_too_long: {
    status: 403,
    sentence: "The authority takes no newcomers with a certificate of such a long life.",
  },
  too_many_newcomers: {
    status: 429,
    sentence: "Too many new devices of this authority came in the last hour. Try again later.",
  },
};
