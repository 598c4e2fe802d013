import { describe, expect, it } from "vitest";
import { generateKeyPair, type KeyPair, signerFromPrivate } from "#lib/uptane/keys.ts";
import { buildImageTargets, buildRoot, buildSnapshot, buildTimestamp } from "#lib/uptane/metadata.ts";
import { rehearse } from "#lib/uptane/rehearsal.ts";
import { signDocument } from "#lib/uptane/signatures.ts";

const NOW = new Date("2026-11-01T00:00:00Z");
const LATER = new Date("2027-01-01T00:00:00Z");
const EARLIER = new Date("2026-10-01T00:00:00Z");
const [oldRoot, newRoot, oldTargets, newTargets, daily] = Array.from({ length: 5 }, () => generateKeyPair("ED25519"));

function rooted(version: number, keys: { root: KeyPair; targets: KeyPair; by: readonly KeyPair[]; expires?: Date }) {
  const role = (pair: KeyPair) => ({ keys: [pair.publicKey], threshold: 1 });
  const roles = { root: role(keys.root), targets: role(keys.targets), snapshot: role(day()), timestamp: role(day()) };
  return sign(buildRoot({ version, expires: keys.expires ?? LATER, roles }), keys.by);
}
const present = (pair: KeyPair | undefined) => {
  if (pair === undefined) throw new Error("made above");
  return pair;
};
const day = () => present(daily);
const sign = (signed: Parameters<typeof signDocument>[0], by: readonly KeyPair[]) =>
  signDocument(
    signed,
    by.map((pair) => signerFromPrivate("ED25519", pair.privateKey)),
  );

function repository(change: { nextRootBy?: readonly KeyPair[]; targetsBy?: KeyPair; rootExpires?: Date } = {}) {
  const [was, is] = [present(oldRoot), present(newRoot)];
  const root = rooted(1, { root: was, targets: present(oldTargets), by: [was] });
  const nextRoot = rooted(2, {
    root: is,
    targets: present(newTargets),
    by: change.nextRootBy ?? [was, is],
    expires: change.rootExpires ?? LATER,
  });
  const dated = { version: 2, expires: LATER };
  const targets = sign(buildImageTargets({ ...dated, targets: [] }), [change.targetsBy ?? present(newTargets)]);
  const meta = { "root.json": { ...nextRoot, version: 2 }, "targets.json": { ...targets, version: 2 } };
  const snapshot = sign(buildSnapshot({ ...dated, meta }), [day()]);
  const timestamp = sign(buildTimestamp({ ...dated, snapshot: { ...snapshot, version: 2 } }), [day()]);
  const documents = { root, nextRoot, targets, snapshot, timestamp };
  return { repository: "image" as const, now: NOW, ...bytesOf(documents) };
}
const bytesOf = <K extends string>(documents: Record<K, { bytes: Buffer }>) =>
  Object.fromEntries(Object.entries(documents).map(([name, it]) => [name, (it as { bytes: Buffer }).bytes])) as Record<
    K,
    Buffer
  >; // the same names as given

const outcome = (...args: Parameters<typeof rehearse>) =>
  rehearse(...args).map(({ step, state }) => `${step} ${state}`);

describe("a rehearsal", () => {
  it("passes every step of a succession that devices accept", () => {
    expect(outcome(repository())).toEqual(
      ["root", "next_root", "timestamp", "snapshot", "targets"].map((step) => `${step} passed`),
    );
  });

  it.each([
    ["the old root keys did not sign the new root", { nextRootBy: [present(newRoot)] }, "next_root"],
    ["the new root keys did not sign it", { nextRootBy: [present(oldRoot)] }, "next_root"],
    ["the new root has expired", { rootExpires: EARLIER }, "next_root"],
    ["targets are signed by the old key", { targetsBy: present(oldTargets) }, "targets"],
  ] as const)("fails, and stops as a device does, when %s", (_what, change, at) => {
    const checks = outcome(repository(change));
    const index = checks.indexOf(`${at} failed`);
    expect(index).toBeGreaterThan(0);
    expect(checks.slice(0, index).every((check) => check.endsWith("passed"))).toBe(true);
    expect(checks.slice(index + 1).every((check) => check.endsWith("not_reached"))).toBe(true);
  });

  it("looks at root and targets of the director, as devices do, or at its roots alone", () => {
    const { root, nextRoot, targets } = repository();
    const director = { repository: "director" as const, now: NOW, root, nextRoot };
    expect(outcome({ ...director, targets })).toEqual(["root passed", "next_root passed", "targets passed"]);
    expect(outcome({ ...director, targets: null })).toEqual(["root passed", "next_root passed"]);
  });
});
