import { isFrom, matchesPattern, misfitOf } from "#lib/pki/admission.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import type { Issuer } from "#services/authorities/service.ts";
import { because } from "./refusal-detail.ts";
import { type EnrolmentRefusal, refuse } from "./refusals.ts";

type Refused = { readonly refusal: EnrolmentRefusal };

/**
 * What of its authority's rules keeps a device from enrolling, by the certificate that it would get; null for none. A device that enrols
 * is as much a newcomer as one that comes with a certificate made elsewhere, and a token leaks as a key does.
 */
export function refuseByRules(issuer: Issuer, certificate: CertificateFacts): Refused | null {
  const code = misfitOf(certificate, issuer.newcomers);
  if (code === null) return null;
  const { subjectPattern, keyTypes, maxValidityDays } = issuer.newcomers;
  const asks = {
    subject_not_allowed: `subjects like ${subjectPattern}, and here it is ${certificate.subjectDn}`,
    key_type_not_allowed: `keys of ${keyTypes.join(", ")}, and here it is ${certificate.key.type}`,
    validity_too_long: `at most ${maxValidityDays} days`,
  };
  return because(refuse(code), `${issuer.name} wants ${asks[code]}.`);
}

export function refuseByAddress(issuer: Issuer | null, address: string): Refused | null {
  if (issuer === null || isFrom(issuer.sourceNetworks, address)) return null;
  const detail = `It came from ${address}; ${issuer.name} takes devices from ${issuer.sourceNetworks.join(", ")}.`;
  return because(refuse("address_not_allowed"), detail);
}

export function refuseByRate({ name, newcomers }: Issuer): Refused {
  return because(
    refuse("too_many_newcomers"),
    `${name} admits ${newcomers.newcomersPerHour ?? "few"} newcomers in an hour.`,
  );
}

/** Could a subject that is issued here, a UUID alone as common name, be what this authority takes newcomers of? */
export function takesIssuedSubjects({ newcomers: { subjectPattern } }: Issuer): boolean {
  // No pattern holds this text, so only an open common name lets it through.
  return subjectPattern === null || matchesPattern(`CN=${"\u{1}".repeat(36)}`, subjectPattern);
}
