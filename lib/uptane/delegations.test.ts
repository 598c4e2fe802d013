import { describe, expect, it } from "vitest";
import { isAppError } from "#lib/errors/app-error.ts";
import {
  buildDelegations,
  isDelegatedPath,
  isDelegationName,
  parseDelegatedRoles,
  parseDelegationKeys,
  parseDelegations,
} from "./delegations.ts";
import { generateKeyPair, serverKeyId } from "./keys.ts";

const key = generateKeyPair("ED25519").publicKey;
const keys = parseDelegationKeys([{ ...key }]);
const ROLE = { name: "supplier", keyids: [serverKeyId(key)], paths: ["supplier/*"], threshold: 1, terminating: true };
const codeOf = (run: () => unknown) => {
  try {
    run();
    return null;
  } catch (error) {
    return isAppError(error) ? error.code : "unknown";
  }
};

describe("a path of a delegation", () => {
  it.each([
    ["supplier/*", "supplier/a", true],
    ["supplier/*", "supplier/a/b", true],
    ["supplier/*", "other/a", false],
    ["*", "anything/at.all", true],
    ["a?c", "a/c", true],
    ["a?c", "ac", false],
    ["*.bin", "x.bin.sig", false],
    ["a*b*c", "a1b2b3c", true],
    ["a*b*c", "a1c2b", false],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "bx", false],
    ["a\\*", "a*", true],
    ["a\\*", "ab", false],
    ["a.c", "abc", false],
  ])("%s and the name %s: %s", (path, filename, expected) => {
    expect(isDelegatedPath({ ...ROLE, paths: [path] }, filename)).toBe(expected);
  });

  it("takes time in proportion to both lengths, whoever wrote it", () => {
    const path = `${"*a".repeat(120)}b`;
    const begin = performance.now();
    expect(isDelegatedPath({ ...ROLE, paths: [path] }, "a".repeat(253))).toBe(false);
    expect(performance.now() - begin).toBeLessThan(500);
  });
});

describe("delegated roles", () => {
  it("come back as they were built", () => {
    const roles = parseDelegatedRoles([ROLE], keys);
    expect(parseDelegations(buildDelegations({ keys, roles }))).toEqual({ keys, roles });
  });

  it.each([
    ["a name with a slash", { name: "a/b" }],
    ["the name of a role that exists", { name: "snapshot" }],
    ["a key that is not there", { keyids: ["0".repeat(64)] }],
    ["no key", { keyids: [] }],
    ["a threshold that can't be met", { threshold: 2 }],
    ["a threshold of nothing", { threshold: 0 }],
    ["a path with ..", { paths: ["a/../b"] }],
    ["no path", { paths: [] }],
    ["terminating left out", { terminating: null }],
  ])("with %s are refused", (_what, change) => {
    expect(codeOf(() => parseDelegatedRoles([{ ...ROLE, ...change }], keys))).toBe("uptane.malformed");
  });

  it("may not share a name", () => {
    expect(codeOf(() => parseDelegatedRoles([ROLE, ROLE], keys))).toBe("uptane.malformed");
  });

  it("are named like files", () => {
    expect(["a", "A_1.b-c", "x".repeat(50)].map(isDelegationName)).toEqual([true, true, true]);
    expect(["", ".a", "a b", "x".repeat(51), "targets", "ü"].map(isDelegationName)).toEqual(Array(6).fill(false));
  });
});
