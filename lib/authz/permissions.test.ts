import { describe, expect, it } from "vitest";
import { type Actor, requirePermission, SYSTEM } from "./actor.ts";
import { can, leastRoleWith, PERMISSIONS, ROLES } from "./permissions.ts";

function user(role: (typeof ROLES)[number]): Actor {
  return { kind: "user", id: "u", name: "U", role, sessionId: "s", address: null };
}

describe("permissions", () => {
  it("gives each role all that the lower one has, and more", () => {
    const counts = ROLES.map((role) => PERMISSIONS.filter((permission) => can(role, permission)).length);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(new Set(counts).size).toBe(ROLES.length);
    for (const permission of PERMISSIONS) {
      const first = ROLES.findIndex((role) => can(role, permission));
      for (const role of ROLES.slice(first)) expect(can(role, permission)).toBe(true);
    }
  });

  it("lets nobody but admins decide on certificates, issue, delete devices and manage people", () => {
    for (const permission of [
      "certificate.decide",
      "device.issue",
      "device.delete",
      "account.manage",
      "token.manage",
    ] as const) {
      expect(ROLES.filter((role) => can(role, permission))).toEqual(["admin"]);
    }
  });

  it("lets support change nothing", () => {
    const changing = PERMISSIONS.filter((permission) => !/\.(read|own)$/.test(permission));
    expect(changing.filter((permission) => can("support", permission))).toEqual([]);
  });
});

describe("requirePermission", () => {
  it("refuses and names the role that may", () => {
    expect(() => requirePermission(user("support"), "update.launch")).toThrow(
      expect.objectContaining({ code: "auth.forbidden" }),
    );
    expect(leastRoleWith("update.launch")).toBe("operator");
  });

  it("lets those through who may, and Gatehouse itself", () => {
    expect(() => requirePermission(user("operator"), "update.launch")).not.toThrow();
    expect(() => requirePermission(SYSTEM, "certificate.decide")).not.toThrow();
  });
});
