import { describe, expect, it } from "vitest";
import { createMasterKey, secretsEqual } from "./master-key.ts";

const key = createMasterKey("a".repeat(64));
const plain = Buffer.from("private key");

function refusal(open: () => unknown): unknown {
  try {
    open();
  } catch (error) {
    return error;
  }
  return null;
}

describe("createMasterKey", () => {
  it("opens what it sealed, for the same purpose", () => {
    expect(key.open(key.seal(plain, "row:1"), "row:1")).toEqual(plain);
  });

  it("seals the same bytes differently each time", () => {
    expect(Buffer.from(key.seal(plain, "row:1"))).not.toEqual(Buffer.from(key.seal(plain, "row:1")));
  });

  it("does not open a key that was moved to another row", () => {
    expect(refusal(() => key.open(key.seal(plain, "row:1"), "row:2"))).toMatchObject({ code: "keys.unsealable" });
  });

  it("does not open what another master key sealed, and has another check value", () => {
    const other = createMasterKey("b".repeat(64));
    expect(refusal(() => other.open(key.seal(plain, "row:1"), "row:1"))).toMatchObject({ code: "keys.unsealable" });
    expect(other.checkValue).not.toBe(key.checkValue);
  });

  it("notices each flipped byte and each missing one", () => {
    const sealed = key.seal(plain, "row:1");
    for (let index = 0; index < sealed.length; index += 1) {
      const broken = Uint8Array.from(sealed);
      broken[index] = (broken[index] ?? 0) ^ 1;
      expect(refusal(() => key.open(broken, "row:1"))).toMatchObject({ code: "keys.unsealable" });
      expect(refusal(() => key.open(sealed.subarray(0, index), "row:1"))).toMatchObject({ code: "keys.unsealable" });
    }
  });
});

describe("secretsEqual", () => {
  it("compares texts of any length", () => {
    expect(secretsEqual("abc", "abc")).toBe(true);
    expect(secretsEqual("abc", "abd")).toBe(false);
    expect(secretsEqual("abc", "abcd")).toBe(false);
    expect(secretsEqual("", "")).toBe(true);
  });
});
