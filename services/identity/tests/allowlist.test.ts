import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AddAllowlistEntry } from "#lib/contracts/console/allowlist.ts";
import type { CertificateFacts } from "#lib/pki/certificates.ts";
import {
  addAllowlistEntry,
  admitNewcomer,
  getCertificate,
  importAllowlist,
  listAllowlist,
  recordPending,
  rejectCertificate,
  removeAllowlistEntry,
} from "#services/identity/service.ts";
import { judge, judgedAs, visitOf } from "#tests/harness/admission.ts";
import {
  actorOf,
  auditStory,
  expectRefusal,
  type IdentityWorld,
  type IdentityWorlds,
  openIdentityWorlds,
} from "#tests/harness/identity.ts";
import { addAuthority } from "#tests/pki/authority.ts";
import { createSoftwareCa, type SoftwareCa } from "#tests/pki/software-ca.ts";

const admin = actorOf("admin");
const HOUR_MS = 3_600_000;
let worlds: IdentityWorlds;
let ca: SoftwareCa;
let world: IdentityWorld;
let authorityId: string;

beforeAll(async () => {
  worlds = await openIdentityWorlds();
  ca = await createSoftwareCa();
});
beforeEach(async () => {
  world = worlds.next();
  authorityId = await addAuthority(world.ctx, ca.certificate);
});
afterAll(() => worlds.close());

const newLeaf = async (commonName = crypto.randomUUID()) => (await ca.issue({ commonNames: [commonName] })).certificate;
const add = (entry: AddAllowlistEntry) => addAllowlistEntry(world.ctx, admin, entry);
const codeOf = (leaf: CertificateFacts) => judgedAs(world.ctx, leaf);
const withColons = (hex: string) => hex.toUpperCase().match(/../g)?.join(":") ?? "";

const KINDS: [string, (leaf: CertificateFacts) => AddAllowlistEntry][] = [
  [
    "its fingerprint as openssl prints it",
    (it) => ({ kind: "fingerprint", value: `sha256 Fingerprint=${withColons(it.fingerprint)}` }),
  ],
  ["the digest of its key", (it) => ({ kind: "spki", value: it.spkiSha256 })],
  [
    "its subject",
    (it) => ({ kind: "subject", value: ` ${it.subjectDn.replace("=", " = ").toUpperCase()}`, authorityId }),
  ],
  ["its serial number", (it) => ({ kind: "serial", value: `serial=00${it.serialHex.toUpperCase()}`, authorityId })],
];

describe("an entry", () => {
  it.each(KINDS)(
    "lets in at the first visit who is known by %s, with what it assigns, and is used up",
    async (_name, of) => {
      const leaf = await newLeaf();
      const groupId = world.registry.group.id;
      const assigned = { name: "Truck 9", hardwareId: "rpi4", groupId, tags: { site: "Ulm" }, note: "batch 7" };
      await add({ ...of(leaf), ...assigned });
      expect(await judge(world.ctx, leaf)).toMatchObject({ admitted: true, newcomer: true });
      await admitNewcomer(world.ctx, visitOf(leaf, authorityId));
      expect(await judge(world.ctx, leaf)).toMatchObject({ admitted: true, newcomer: false });
      expect(await getCertificate(world.ctx, admin, leaf.fingerprint)).toMatchObject({
        state: "allowed",
        name: "Truck 9",
        hardwareId: "rpi4",
        note: "batch 7",
      });
      expect(world.registry.group.members).toEqual([leaf.subjectCn]);
      expect(world.registry.tags.get(leaf.subjectCn ?? "")).toEqual({ site: "Ulm" });
      const { data } = await listAllowlist(world.ctx, admin, { limit: 10, use: "used" });
      expect(data).toMatchObject([{ usedBy: leaf.fingerprint }]);
      expect(await auditStory(world.ctx)).toEqual([
        "allowlist.add done",
        "certificate.approve requested",
        "certificate.approve done",
      ]);
    },
  );

  it("lets exactly one certificate in, however many come with its subject at once", async () => {
    const uuid = crypto.randomUUID();
    const leaves = [await newLeaf(uuid), await newLeaf(uuid)];
    await add({ kind: "subject", value: `CN=${uuid}`, authorityId });
    await Promise.all(leaves.map((leaf) => admitNewcomer(world.ctx, visitOf(leaf, authorityId))));
    expect((await Promise.all(leaves.map(codeOf))).sort()).toEqual(["admitted", "another_certificate_allowed"]);
  });

  it("of a subject or serial number counts for its own authority only", async () => {
    const other = await createSoftwareCa({ commonName: "Other CA" });
    const otherId = await addAuthority(world.ctx, other.certificate);
    const leaf = await newLeaf();
    await add({ kind: "subject", value: leaf.subjectDn, authorityId: otherId });
    await add({ kind: "serial", value: leaf.serialHex, authorityId: otherId });
    expect(await codeOf(leaf)).toBe("pending");
  });

  it("counts no more once it has expired or was removed, not even for a visit under way", async () => {
    const leaf = await newLeaf();
    const { entry } = await add({ kind: "spki", value: leaf.spkiSha256 });
    expect(await codeOf(leaf)).toBe("admitted");
    await removeAllowlistEntry(world.ctx, admin, entry.id);
    await admitNewcomer(world.ctx, visitOf(leaf, authorityId));
    expect(await codeOf(leaf)).toBe("pending");
    const late = await newLeaf();
    const expiresAt = new Date(world.clock.now.getTime() + HOUR_MS).toISOString();
    await add({ kind: "fingerprint", value: late.fingerprint, expiresAt });
    expect(await codeOf(late)).toBe("admitted");
    world.clock.advance(HOUR_MS);
    expect(await codeOf(late)).toBe("pending");
    await expectRefusal(removeAllowlistEntry(world.ctx, admin, entry.id), "allowlist.not_found");
  });

  it("approves at once what waits with its fingerprint or key, unless that would replace another certificate", async () => {
    const waiting = await newLeaf();
    await recordPending(world.ctx, visitOf(waiting, authorityId));
    expect(await add({ kind: "spki", value: waiting.spkiSha256 })).toMatchObject({ approved: waiting.fingerprint });
    expect(await codeOf(waiting)).toBe("admitted");
    const second = await newLeaf(waiting.subjectCn ?? "");
    await recordPending(world.ctx, visitOf(second, authorityId));
    expect(await add({ kind: "fingerprint", value: second.fingerprint })).toMatchObject({ approved: null });
    expect(await codeOf(second)).toBe("another_certificate_allowed");
  });

  it("is refused for what is listed, was rejected, is no such thing, or names nobody's group or authority", async () => {
    const leaf = await newLeaf();
    await recordPending(world.ctx, visitOf(leaf, authorityId));
    await rejectCertificate(world.ctx, admin, { fingerprint: leaf.fingerprint });
    await expectRefusal(add({ kind: "fingerprint", value: leaf.fingerprint }), "certificate.wrong_state");
    const spki = { kind: "spki", value: leaf.spkiSha256 } as const;
    await expectRefusal(add({ ...spki, groupId: crypto.randomUUID() }), "request.invalid");
    await add(spki);
    await expectRefusal(add(spki), "allowlist.exists");
    for (const [kind, value] of [
      ["fingerprint", "12:34"],
      ["serial", "zz"],
      ["serial", "1234"],
      ["subject", "no name"],
    ] as const)
      await expectRefusal(add({ kind, value }), "request.invalid");
    for (const role of ["support", "operator"] as const) {
      await expectRefusal(addAllowlistEntry(world.ctx, actorOf(role), spki), "auth.forbidden");
      await expectRefusal(removeAllowlistEntry(world.ctx, actorOf(role), crypto.randomUUID()), "auth.forbidden");
      const file = { dryRun: true, csv: Buffer.from("spki\n") };
      await expectRefusal(importAllowlist(world.ctx, actorOf(role), file), "auth.forbidden");
    }
  });
});

describe("an import", () => {
  const run = (csv: string, dryRun = false) => importAllowlist(world.ctx, admin, { dryRun, csv: Buffer.from(csv) });
  const total = async () => (await listAllowlist(world.ctx, admin, { limit: 1 })).total;
  const hex = (n: number) => n.toString(16).padStart(64, "0");

  it("adds every row of a spreadsheet's file, as its dry run said, and nothing of it a second time", async () => {
    const csv = [
      "\uFEFFkind,value,authority,name,hardware,group,tag.site,note,expires",
      `fingerprint,${withColons(hex(1))},,"Truck, one",rpi4,${world.registry.group.id},Ulm,,2099-01-31`,
      `SPKI,${hex(1)},,,,,,,`,
      `serial,0x00AB,Outside CA,,,,,,`,
      `subject,"CN = Truck, O = Maker",${authorityId},,,,,"line ""4""",`,
      `fingerprint,${hex(1)},,again,,,,,`,
    ].join("\r\n");
    const counts = { rows: 5, added: 4, duplicates: 1, invalid: 0 };
    expect(await run(csv, true)).toMatchObject({ imported: false, ...counts });
    expect(await total()).toBe(0);
    expect(await run(csv)).toMatchObject({ imported: true, ...counts });
    const { data } = await listAllowlist(world.ctx, admin, { limit: 10, kind: "fingerprint" });
    expect(data).toMatchObject([
      {
        value: hex(1),
        name: "Truck, one",
        hardwareId: "rpi4",
        tags: { site: "Ulm" },
        expiresAt: "2099-01-31T00:00:00.000Z",
      },
    ]);
    expect(await run(csv, true)).toMatchObject({ added: 0, duplicates: 5 });
    expect(await run(csv)).toMatchObject({ added: 0, duplicates: 5 });
    expect(await total()).toBe(4);
  });

  it("takes a group by its name or its id, and tells the one that nobody knows where it stands first", async () => {
    const { group } = world.registry;
    const rows = [`${hex(1)},Line 4`, `${hex(2)},${group.id.toUpperCase()}`, `${hex(3)},`];
    expect(await run(`spki,group\n${rows.join("\n")}\n`)).toMatchObject({ imported: true, added: 3 });
    const { data } = await listAllowlist(world.ctx, admin, { limit: 10 });
    expect(new Map(data.map((entry) => [entry.value, entry.groupId]))).toEqual(
      new Map([
        [hex(1), group.id],
        [hex(2), group.id],
        [hex(3), null],
      ]),
    );
    const strange = `spki,group\n${hex(4)},Line 4\n${hex(5)},line 4\n${hex(6)},line 4\n`;
    const report = await run(strange);
    expect(report).toMatchObject({ imported: false, added: 0, invalid: 2 });
    expect(report.errors).toMatchObject([{ row: 3, column: "group" }]);
  });

  it("tells every row that is wrong, with its column, and adds none of the file", async () => {
    const csv = [
      "fingerprint,serial,authority,hardware,group,expires,tag.site",
      `${hex(1)},,,,,,`,
      "abc,,,,,,",
      ",12,Nobody,,,,",
      `${hex(2)},12,,,,,`,
      `${hex(3)},,,\u00fc,,,`,
      `${hex(4)},,,,${crypto.randomUUID()},,`,
      `${hex(5)},,,,,soon,`,
      `${hex(6)},,,,,,a,b`,
    ].join("\n");
    const report = await run(csv);
    expect(report).toMatchObject({ imported: false, added: 0, rows: 8, invalid: 7 });
    expect(report.errors.map(({ row, column }) => [row, column])).toEqual([
      [3, "fingerprint"],
      [4, "authority"],
      [5, "value"],
      [6, "hardware"],
      [8, "expires"],
      [9, ""],
      [7, "group"],
    ]);
    expect(await total()).toBe(0);
  });

  it.each(["", "name\nx", "fingerprint,colour\n", 'fingerprint\n"x', "fingerprint,fingerprint\n"])(
    "refuses a file that is none: %j",
    async (csv) => {
      await expectRefusal(run(csv), "request.invalid");
    },
  );

  it("takes 100,000 rows in one go", async () => {
    const rows = Array.from({ length: 100_000 }, (_, n) => `${hex(n + 1)},Truck ${n},rpi4,Ulm,batch 7`);
    const csv = `fingerprint,name,hardware,tag.site,note\n${rows.join("\n")}\n`;
    expect(await run(csv)).toMatchObject({ imported: true, added: 100_000 });
    expect(await total()).toBe(100_000);
    expect((await auditStory(world.ctx)).filter((line) => line.startsWith("allowlist.import"))).toHaveLength(1);
  }, 120_000);
});
