import type { PostureCheck, PostureCode } from "#lib/contracts/console/posture.ts";

type CheckText = Pick<PostureCheck, "tone" | "title" | "why" | "fix" | "href">;

/** What each check means, why it matters and what helps; how it is found is in store-checks.ts. */
export const CHECKS: Readonly<Record<PostureCode, CheckText>> = {
  shared_key: {
    tone: "bad",
    title: "One key in certificates of several devices",
    why: "Whoever reads the key from one device can come in as all of them, and revoking one of them stops nobody.",
    fix: "Give each device a key of its own, made on the device, then revoke the certificates with the shared one.",
    href: "/trust/certificates",
  },
  many_addresses: {
    tone: "bad",
    title: "One certificate used from many addresses",
    why: "Five or more addresses within a day: credentials that were copied look like this, and so does a device that roams.",
    fix: "Look at the addresses. If these can't be one device, put the certificate on hold and issue new credentials.",
    href: "/trust/certificates",
  },
  revoked_authority: {
    tone: "bad",
    title: "Allowed certificates of a revoked authority",
    why: "The door refuses these devices already; they get no updates until they have certificates of another authority.",
    fix: "Issue new credentials from an authority that is open.",
    href: "/trust/authorities",
  },
  clock_skew: {
    tone: "warn",
    title: "Used before its validity began",
    why: "The clock of the device, or that of who issued the certificate, is wrong; checks of expiry can't be relied on there.",
    fix: "Set the clock of the issuer, or date certificates back by a few minutes. See that the device has a time source.",
    href: "/trust/refused",
  },
  weak_key: {
    tone: "warn",
    title: "Keys weaker than is good today",
    why: "RSA below 3072 bits is let in, but is not good for years to come.",
    fix: "At the next renewal use P-256, or RSA from 3072 bits; then allow only these key types in the authority's rules.",
    href: "/trust/authorities",
  },
  long_validity: {
    tone: "warn",
    title: "Valid for too long",
    why: "More than 825 days, or than the authority's rules allow now: a key that gets out stays useful for as long.",
    fix: "Renew with a shorter life, and set the longest validity in the authority's rules.",
    href: "/trust/authorities",
  },
  authority_ends_first: {
    tone: "warn",
    title: "The authority ends before its certificates, or within 90 days",
    why: "When the authority ends, the door refuses all that it signed, however long that says it is valid.",
    fix: "Make the next authority, issue with it, and renew these devices before the old one ends.",
    href: "/trust/authorities",
  },
  never_used: {
    tone: "warn",
    title: "Allowed over 30 days ago and never used",
    why: "Credentials that lie about open the door for whoever finds them.",
    fix: "Put the device into service, or revoke its certificate.",
    href: "/trust/certificates",
  },
  name_clash: {
    tone: "warn",
    title: "Names that are hard to tell apart",
    why: "Devices whose names differ only in case or blanks, or authorities with the same subject: decisions hit the wrong one.",
    fix: "Rename the devices; give a new authority a subject of its own.",
    href: "/devices",
  },
};
