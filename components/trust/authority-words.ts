import type { Tone } from "#components/ui/status.tsx";
import type { AuthorityRules, AuthorityState } from "#lib/contracts/console/authorities.ts";

/** States as pages show them. */
export const AUTHORITY_STATE: Readonly<Record<AuthorityState, { tone: Tone; word: string; hint: string }>> = {
  unproved: { tone: "warn", word: "unproved", hint: "Nobody has shown yet to have its key, so it admits nobody." },
  open: { tone: "ok", word: "open", hint: "Newcomers are taken by its policy." },
  closed: { tone: "idle", word: "closed", hint: "No newcomers; devices that are known keep coming in." },
  revoked: { tone: "bad", word: "revoked", hint: "Every device whose certificate it signed is cut off." },
};

export const POLICIES: Readonly<Record<AuthorityRules["policy"], string>> = {
  ask: "a person decides about each",
  allowlist: "let in when on the allowlist, else refused",
  allow_all: "let in at once",
};

export const ID_FIELDS: Readonly<Record<AuthorityRules["deviceId"]["field"], string>> = {
  cn: "common name (CN)",
  serial_number: "serialNumber of the subject",
  ou: "organizational unit (OU)",
  uid: "user id (UID)",
  san_dns: "DNS name (SAN)",
  san_uri: "URI (SAN)",
};

const KEY_TYPE_ORDER: Readonly<Record<AuthorityRules["keyTypes"][number], number>> = {
  "P-256": 0,
  "P-384": 1,
  "P-521": 2,
  "RSA-2048": 3,
  "RSA-3072": 4,
  "RSA-4096": 5,
  Ed25519: 6,
};
export const KEY_TYPE_NAMES = Object.keys(KEY_TYPE_ORDER).filter(isKeyType);

function isKeyType(name: string): name is AuthorityRules["keyTypes"][number] {
  return name in KEY_TYPE_ORDER;
}

export function isPolicy(text: string): text is AuthorityRules["policy"] {
  return text in POLICIES;
}

export function isIdField(text: string): text is AuthorityRules["deviceId"]["field"] {
  return text in ID_FIELDS;
}
