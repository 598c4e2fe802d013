import { describe, expect, it } from "vitest";
import { type AllowlistKind, allowlistKeysOf, parseAllowlistValue } from "#lib/pki/allowlist-value.ts";

const HEX = "0a".repeat(32);
const COLONS = "0A:".repeat(31).concat("0A");

describe("parseAllowlistValue", () => {
  it.each<[AllowlistKind, string, string | null]>([
    ["fingerprint", ` ${HEX.toUpperCase()} `, HEX],
    ["fingerprint", `sha256 Fingerprint=${COLONS}`, HEX],
    ["fingerprint", HEX.slice(2), null],
    ["fingerprint", `${HEX.slice(1)}g`, null],
    ["spki", COLONS, HEX],
    ["serial", "serial=00AB:12", "ab12"],
    ["serial", "0x00ab", "ab"],
    ["serial", "0", "0"],
    ["serial", "", null],
    ["serial", "a".repeat(65), null],
    ["subject", "subject=CN = Truck  1,  O=Maker", "cn=truck 1,o=maker"],
    ["subject", "CN=x", "cn=x"],
    ["subject", "no name", null],
    ["subject", `CN=${"x".repeat(520)}`, null],
  ])("reads a %s from %j", (kind, text, value) => {
    expect(parseAllowlistValue(kind, text)).toBe(value);
  });
});

it("a certificate's own keys are those that people write down of it, the most exact first", () => {
  const leaf = { fingerprint: HEX, spkiSha256: "0b".repeat(32), serialHex: "00AB12", subjectDn: "CN=Truck 1, O=Maker" };
  const keys = allowlistKeysOf(leaf, "authority");
  expect(keys.map(({ kind }) => kind)).toEqual(["fingerprint", "spki", "serial", "subject"]);
  expect(keys.map(({ scope }) => scope)).toEqual(["", "", "authority", "authority"]);
  const written = [leaf.fingerprint, leaf.spkiSha256, "ab:12", "cn = TRUCK 1,o = maker"];
  keys.forEach(({ kind, value }, index) => {
    expect(parseAllowlistValue(kind, written[index] ?? "")).toBe(value);
  });
});
