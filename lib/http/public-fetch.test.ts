import { describe, expect, it } from "vitest";
import { isPublicAddress } from "./public-fetch.ts";

describe("an address of the public internet", () => {
  it.each([
    ["93.184.216.34", true],
    ["2606:4700::1111", true],
    ["127.0.0.1", false],
    ["0.0.0.0", false],
    ["10.1.2.3", false],
    ["100.64.0.1", false],
    ["169.254.169.254", false],
    ["172.31.255.255", false],
    ["172.32.0.1", true],
    ["192.168.0.1", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["::", false],
    ["::1", false],
    ["::ffff:93.184.216.34", false],
    ["64:ff9b::a00:1", false],
    ["fe80::1", false],
    ["fd00:ec2::254", false],
    ["2002:a00:1::", false],
    ["2001:db8::1", false],
    ["not an address", false],
  ])("%s: %s", (address, expected) => expect(isPublicAddress(address)).toBe(expected));
});
