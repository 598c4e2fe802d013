import { generateKeyPairSync } from "node:crypto";
import { ADMISSION_CHANNEL, notify } from "#lib/db/events.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { element, extension, sequence } from "#lib/pki/der-writer.ts";
import { COMMON_NAME_IS_UUID, identifyDevice } from "#lib/pki/device-id.ts";
import {
  addAllowlistEntry,
  admitNewcomer,
  approveCertificate,
  holdCertificate,
  recordPending,
  rejectCertificate,
  revokeCertificate,
  type Visit,
} from "#services/identity/service.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import {
  AUTHORITY,
  basicConstraints,
  type CraftedCa,
  commonName,
  craft,
  craftBelow,
  craftCa,
  daysFromNow,
  keyUsage,
  newEcKey,
  newRsaKey,
  USAGE,
} from "#tests/pki/crafted.ts";
import { withTwinSignature } from "#tests/pki/twin-signature.ts";
import type { Before, Shown, ZooAuthorities, ZooAuthority, ZooKind } from "#tests/pki/zoo.ts";

/** An install whose authorities are those of the zoo. */
export type ZooWorld = {
  readonly world: IdentityWorld;
  readonly authorities: ZooAuthorities;
  readonly ids: Readonly<Record<ZooAuthority, string>>;
};

const admin = actorOf("admin");
const GRACE_DAYS = 7;

export async function openZoo(world: IdentityWorld): Promise<ZooWorld> {
  const authorities = makeAuthorities();
  const { ctx } = world;
  const ids: Partial<Record<ZooAuthority, string>> = {};
  for (const [name, ca] of entriesOf(authorities)) {
    const policy = name === "asking" ? "ask" : name === "listing" ? "allowlist" : "allow_all";
    ids[name] = await addAuthority(ctx, parseCertificate(ca.der), policy);
    const rules = RULES[name];
    if (rules !== undefined) await ctx.db.authority.update({ where: { id: ids[name] }, data: rules });
  }
  return { world, authorities, ids: ids as Record<ZooAuthority, string> }; // every name was just gone through
}

function entriesOf(authorities: ZooAuthorities): [ZooAuthority, CraftedCa][] {
  return Object.entries(authorities) as [ZooAuthority, CraftedCa][]; // a ZooAuthorities has no other keys
}

const RULES: Partial<Record<ZooAuthority, Parameters<IdentityWorld["ctx"]["db"]["authority"]["update"]>[0]["data"]>> = {
  naming: { deviceIdForm: "name" },
  unproved: { provedAt: null },
  onlyTrucks: { subjectPattern: "CN=truck-*" },
  onlyRsa: { keyTypes: ["RSA-2048"] },
  onlyShort: { maxValidityDays: 90 },
  onlyFromElsewhere: { sourceNetworks: ["192.0.2.0/24"] },
  crowded: { newcomersPerHour: 0 },
};

/** Closes and revokes what is to be so, after the devices of these authorities came in. */
export async function endAuthorities({ world, ids }: ZooWorld): Promise<void> {
  for (const state of ["closed", "revoked"] as const) {
    await world.ctx.db.authority.update({ where: { id: ids[state] }, data: { state } });
  }
  await notify(world.ctx.db, ADMISSION_CHANNEL, "*");
}

function makeAuthorities(): ZooAuthorities {
  const constraints = sequence(element(0xa0, sequence(element(0x82, Buffer.from("example.com")))));
  const root = craftCa("Zoo root that nobody told us of");
  return {
    open: craftCa("Zoo open"),
    rsa: craftCa("Zoo RSA", { key: newRsaKey(2048) }),
    ed25519: craftCa("Zoo Ed25519", { key: generateKeyPairSync("ed25519").privateKey }),
    p384: craftCa("Zoo P-384", { key: newEcKey("secp384r1"), signature: "SHA-384" }),
    asking: craftCa("Zoo asking"),
    listing: craftCa("Zoo listing"),
    naming: craftCa("Zoo naming"),
    closed: craftCa("Zoo closed"),
    revoked: craftCa("Zoo revoked"),
    expired: craftCa("Zoo expired", { notBefore: daysFromNow(-20), notAfter: daysFromNow(-10) }),
    unproved: craftCa("Zoo unproved"),
    unfit: craftCa("Zoo unfit", { extensions: [basicConstraints(true), keyUsage(USAGE.cRLSign)] }),
    constrained: craftCa("Zoo constrained", { extensions: [...AUTHORITY, extension("2.5.29.30", constraints, true)] }),
    belowUnknown: craftBelow(root, "Zoo below unknown"),
    onlyTrucks: craftCa("Zoo trucks"),
    onlyRsa: craftCa("Zoo only RSA"),
    onlyShort: craftCa("Zoo short"),
    onlyFromElsewhere: craftCa("Zoo elsewhere"),
    crowded: craftCa("Zoo crowded"),
  };
}

/** Makes a kind's certificate, and does to it what people did before. */
export async function bringIn(zoo: ZooWorld, kind: ZooKind): Promise<Shown | null> {
  const authority = kind.authority ?? "open";
  const shown = kind.make(zoo.authorities[authority], zoo.authorities);
  if (shown !== null && kind.before !== undefined) await happen(zoo, { authority, shown, before: kind.before });
  return shown;
}

async function happen(
  zoo: ZooWorld,
  { authority, shown, before }: { authority: ZooAuthority; shown: Shown; before: Before },
): Promise<void> {
  const { ctx } = zoo.world;
  const visit = (der: Buffer, of: ZooAuthority = authority): Visit => {
    const leaf = parseCertificate(der);
    return { leaf, authorityId: zoo.ids[of], address: "192.0.2.9", device: identifyDevice(leaf, COMMON_NAME_IS_UUID) };
  };
  const leaf = parseCertificate(shown.der);
  const { fingerprint } = leaf;
  const admit = async (der: Buffer, of: ZooAuthority = authority) => {
    const arrived = visit(der, of);
    await (of === "asking" ? recordPending(ctx, arrived) : admitNewcomer(ctx, arrived));
    if (of === "asking") await approveCertificate(ctx, admin, { fingerprint: arrived.leaf.fingerprint });
  };
  const sameDevice = () => craft(zoo.authorities[authority], { subject: commonName(leaf.subjectCn ?? "") });
  const replace = async (graceDays: number) => {
    const newer = sameDevice();
    await admit(shown.der);
    await recordPending(ctx, visit(newer.der));
    await approveCertificate(ctx, admin, { fingerprint: visit(newer.der).leaf.fingerprint, replace: true, graceDays });
  };
  const list = (kind: "fingerprint" | "spki" | "subject" | "serial", value: string) => {
    const scope = kind === "subject" || kind === "serial" ? { authorityId: zoo.ids[authority] } : {};
    return addAllowlistEntry(ctx, admin, { kind, value, ...scope });
  };
  const acts: Record<Before, () => Promise<unknown>> = {
    admitted: () => admit(shown.der),
    waits: () => recordPending(ctx, visit(shown.der)),
    revoked: async () => {
      await admit(shown.der);
      await revokeCertificate(ctx, admin, { fingerprint, reason: "keyCompromise" });
    },
    held: async () => {
      await admit(shown.der);
      await holdCertificate(ctx, admin, { fingerprint });
    },
    rejected: async () => {
      await recordPending(ctx, visit(shown.der));
      await rejectCertificate(ctx, admin, { fingerprint });
    },
    "replaced at once": () => replace(0),
    "replaced with grace": () => replace(GRACE_DAYS),
    "its device has another": () => admit(sameDevice().der),
    "its twin is admitted": () => admit(withTwinSignature(shown.der)),
    "its namesake is revoked": async () => {
      const namesake = craft(zoo.authorities.asking, { serial: serialOf(leaf.serialHex) });
      await admit(namesake.der, "asking");
      const revoked = parseCertificate(namesake.der).fingerprint;
      await revokeCertificate(ctx, admin, { fingerprint: revoked, reason: "keyCompromise" });
    },
    "listed by fingerprint": () => list("fingerprint", fingerprint),
    "listed by key": () => list("spki", leaf.spkiSha256),
    "listed by subject": () => list("subject", leaf.subjectDn),
    "listed by serial": () => list("serial", leaf.serialHex),
  };
  await acts[before]();
}

function serialOf(hex: string): Buffer {
  return element(0x02, Buffer.from(hex, "hex"));
}
