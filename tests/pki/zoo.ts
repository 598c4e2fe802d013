import type { Crafted, CraftedCa } from "./crafted.ts";
import { FORM_KINDS } from "./zoo-forms.ts";
import { ISSUER_KINDS } from "./zoo-issuers.ts";
import { KEY_KINDS } from "./zoo-keys.ts";
import { NAME_KINDS } from "./zoo-names.ts";
import { TIME_AND_USAGE_KINDS } from "./zoo-times.ts";

/** The authorities that the install knows, by what is peculiar to them. Where it says nothing else, they let everybody in. */
export type ZooAuthorities = {
  readonly open: CraftedCa;
  readonly rsa: CraftedCa;
  readonly ed25519: CraftedCa;
  readonly p384: CraftedCa;
  readonly asking: CraftedCa;
  readonly listing: CraftedCa;
  /** Takes any text for a device's name. */
  readonly naming: CraftedCa;
  readonly closed: CraftedCa;
  readonly revoked: CraftedCa;
  readonly expired: CraftedCa;
  readonly unproved: CraftedCa;
  /** Its certificate says that it may not sign certificates. */
  readonly unfit: CraftedCa;
  /** Its certificate has critical name constraints. */
  readonly constrained: CraftedCa;
  /** Known here, and itself below an authority that is not. */
  readonly belowUnknown: CraftedCa;
  readonly onlyTrucks: CraftedCa;
  readonly onlyRsa: CraftedCa;
  readonly onlyShort: CraftedCa;
  readonly onlyFromElsewhere: CraftedCa;
  readonly crowded: CraftedCa;
};
export type ZooAuthority = keyof ZooAuthorities;

/** What a client shows, with what it sends behind it. */
export type Shown = Crafted & { readonly chain?: readonly string[] };

/** What people did about a certificate before it is shown. */
export type Before =
  | "admitted"
  | "waits"
  | "revoked"
  | "held"
  | "rejected"
  | "replaced at once"
  | "replaced with grace"
  | "its device has another"
  | "its twin is admitted"
  | "its namesake is revoked"
  | "listed by fingerprint"
  | "listed by key"
  | "listed by subject"
  | "listed by serial";

/**
 * What became of a visit: `let in`, a code of the closed list of lib/pki/admission.ts, `nginx: 400` (it refused without asking us), `alert …`
 * (TLS ended it), or `client: …` (the client's own OpenSSL does not send such a thing).
 */
export type Outcome = string;
export type Seen = Outcome | { readonly tls12: Outcome; readonly tls13: Outcome };

export type ZooKind = {
  readonly kind: string;
  /** Of our authorities, the one that signed it or is made to look as if. */
  readonly authority?: ZooAuthority;
  readonly before?: Before;
  /** null: the client has no certificate. */
  make(ca: CraftedCa, zoo: ZooAuthorities): Shown | null;
  /** The gateway's answer to exactly these bytes. */
  readonly decision: Outcome;
  /** At the device door, and at nginx, where something gets in before. */
  readonly door?: Seen;
  readonly nginx?: Seen;
};

export const ZOO: readonly ZooKind[] = [
  ...TIME_AND_USAGE_KINDS,
  ...ISSUER_KINDS,
  ...KEY_KINDS,
  ...NAME_KINDS,
  ...FORM_KINDS,
];
