import { bigInteger, extension, octets } from "#lib/pki/der-writer.ts";
import { AUTHORITY, type CraftedCa, craft, craftBelow, craftCa, DEVICE, newRsaKey, wrapped } from "./crafted.ts";
import { withTwinSignature } from "./twin-signature.ts";
import type { Before, ZooKind } from "./zoo.ts";

const keyIdentifier = extension("2.5.29.14", octets(Buffer.alloc(20, 7)));
const SERIAL = bigInteger(0x1234567890abcdefn);

const decided = (kind: string, before: Before, decision: string): ZooKind => ({
  kind,
  before,
  authority: before.startsWith("listed") ? "listing" : "asking",
  make: (ca) => craft(ca),
  decision,
});

/** Who signed, what people decided, and what authorities ask. */
export const ISSUER_KINDS: readonly ZooKind[] = [
  {
    kind: "self-signed",
    make: () => craftCa(crypto.randomUUID(), { extensions: DEVICE }),
    decision: "unknown_authority",
  },
  { kind: "of an unknown authority", make: () => craft(craftCa("Nobody's CA")), decision: "unknown_authority" },
  {
    kind: "of another authority with our name",
    make: (ca) => craft({ name: ca.name, key: craftCa("x").key }),
    decision: "bad_signature",
  },
  {
    kind: "of another authority with our name and key identifier, sent along",
    make: () => {
      const other = craftCa("Zoo open", { extensions: [...AUTHORITY, keyIdentifier] });
      return { ...craft(other), chain: [other.pem] };
    },
    decision: "bad_signature",
  },
  {
    kind: "self-signed under our authority's name",
    make: () => craftCa("Zoo open", { extensions: DEVICE }),
    decision: "bad_signature",
  },
  {
    kind: "signed by a device of ours",
    make: (ca) => {
      const device = craftBelow(ca, crypto.randomUUID(), { extensions: DEVICE });
      return { ...craft(device), chain: [device.pem] };
    },
    decision: "unknown_authority",
    nginx: "nginx: 400",
  },
  { kind: "the authority's own certificate", make: (ca) => ca, decision: "wrong_usage", nginx: "nginx: 400" },
  {
    kind: "below an intermediate that was not sent",
    make: (ca) => craft(craftBelow(ca, "Zoo intermediate")),
    decision: "unknown_authority",
  },
  {
    kind: "below an intermediate that was sent",
    make: (ca) => {
      const intermediate = craftBelow(ca, "Zoo intermediate");
      return { ...craft(intermediate), chain: [intermediate.pem] };
    },
    decision: "unknown_authority",
  },
  {
    kind: "of a known intermediate with an unknown root",
    authority: "belowUnknown",
    make: (ca) => craft(ca),
    decision: "let in",
  },
  {
    kind: "with a chain of twelve behind it",
    make: (ca) => ({ ...craft(ca), chain: chainOf(craftCa("Somebody's CA"), 12) }),
    decision: "let in",
  },
  {
    kind: "at the end of a chain of twelve",
    make: (ca) => {
      let above: CraftedCa = ca;
      const chain: string[] = [];
      for (let depth = 1; depth <= 12; depth += 1) {
        above = craftBelow(above, `Zoo depth ${depth}`);
        chain.unshift(above.pem);
      }
      return { ...craft(above), chain };
    },
    decision: "unknown_authority",
  },
  {
    kind: "of an authority without proof of its key",
    authority: "unproved",
    make: (ca) => craft(ca),
    decision: "unknown_authority",
  },
  { kind: "of an authority that may not sign", authority: "unfit", make: (ca) => craft(ca), decision: "bad_signature" },
  {
    kind: "of an authority with name constraints",
    authority: "constrained",
    make: (ca) => craft(ca),
    decision: "let in",
  },
  { kind: "of an expired authority", authority: "expired", make: (ca) => craft(ca), decision: "authority_expired" },
  { kind: "of a revoked authority", authority: "revoked", make: (ca) => craft(ca), decision: "authority_revoked" },
  {
    kind: "a device of a revoked authority",
    authority: "revoked",
    before: "admitted",
    make: (ca) => craft(ca),
    decision: "authority_revoked",
  },
  {
    kind: "a newcomer of a closed authority",
    authority: "closed",
    make: (ca) => craft(ca),
    decision: "authority_closed",
  },
  {
    kind: "a device of a closed authority",
    authority: "closed",
    before: "admitted",
    make: (ca) => craft(ca),
    decision: "let in",
  },
  {
    kind: "a subject that the authority may not admit",
    authority: "onlyTrucks",
    make: (ca) => craft(ca),
    decision: "subject_not_allowed",
  },
  {
    kind: "a kind of key that the authority may not admit",
    authority: "onlyRsa",
    make: (ca) => craft(ca),
    decision: "key_type_not_allowed",
  },
  {
    kind: "a kind of key that the authority may admit",
    authority: "onlyRsa",
    make: (ca) => craft(ca, { key: newRsaKey(2048) }),
    decision: "let in",
  },
  { kind: "valid for too long", authority: "onlyShort", make: (ca) => craft(ca), decision: "validity_too_long" },
  {
    kind: "from another network",
    authority: "onlyFromElsewhere",
    make: (ca) => craft(ca),
    decision: "address_not_allowed",
  },
  { kind: "one newcomer too many", authority: "crowded", make: (ca) => craft(ca), decision: "too_many_newcomers" },

  decided("seen for the first time", "waits", "pending"),
  { kind: "never seen, of an authority that asks", authority: "asking", make: (ca) => craft(ca), decision: "pending" },
  decided("approved", "admitted", "let in"),
  decided("revoked", "revoked", "revoked"),
  decided("on hold", "held", "held"),
  decided("rejected", "rejected", "rejected"),
  decided("replaced at once", "replaced at once", "superseded"),
  decided("replaced, in its grace", "replaced with grace", "let in"),
  decided("another key of an admitted device", "its device has another", "another_certificate_allowed"),
  {
    kind: "another key of a device, of an authority that lets all in",
    before: "its device has another",
    make: (ca) => craft(ca),
    decision: "another_certificate_allowed",
  },
  {
    kind: "the twin signature of a known certificate",
    before: "its twin is admitted",
    make: (ca) => {
      const { der, privateKeyPem } = craft(ca);
      return wrapped(withTwinSignature(der), privateKeyPem);
    },
    decision: "altered_copy",
  },
  {
    kind: "the serial number of another authority's revoked certificate",
    before: "its namesake is revoked",
    make: (ca) => craft(ca, { serial: SERIAL }),
    decision: "let in",
  },
  { kind: "not on the allowlist", authority: "listing", make: (ca) => craft(ca), decision: "not_on_allowlist" },
  decided("allowlisted by fingerprint", "listed by fingerprint", "let in"),
  decided("allowlisted by public key", "listed by key", "let in"),
  decided("allowlisted by subject", "listed by subject", "let in"),
  decided("allowlisted by serial number", "listed by serial", "let in"),
];

function chainOf(root: CraftedCa, length: number): string[] {
  const chain = [root];
  while (chain.length < length) chain.unshift(craftBelow(chain[0] ?? root, `Somebody ${chain.length}`));
  return chain.map(({ pem }) => pem);
}
