/** Who may do what: the one table. Routes name a permission, use cases ask for it, the UI derives what it offers from it. */
export const ROLES = ["support", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

const SUPPORT = [
  "device.read",
  "certificate.read",
  "authority.read",
  "refusal.read",
  "image.read",
  "update.read",
  "account.read",
  "audit.read",
  "key.read",
  "overview.read",
  "event.read",
  "setting.read",
  "session.own",
  "token.own",
] as const;

const OPERATOR = [
  "device.rename",
  "group.manage",
  "image.upload",
  "image.delete",
  "update.preview",
  "update.launch",
  "update.cancel",
] as const;

const ADMIN = [
  "image.trust",
  "key.manage",
  "device.issue",
  "device.delete",
  "certificate.decide",
  "authority.manage",
  "credential.manage",
  "enrolment.manage",
  "simulation.manage",
  "account.manage",
  "token.manage",
  "backend.administer",
] as const;

export type Permission = (typeof SUPPORT)[number] | (typeof OPERATOR)[number] | (typeof ADMIN)[number];

const TABLE: Record<Role, ReadonlySet<Permission>> = {
  support: new Set<Permission>(SUPPORT),
  operator: new Set<Permission>([...SUPPORT, ...OPERATOR]),
  admin: new Set<Permission>([...SUPPORT, ...OPERATOR, ...ADMIN]),
};

export const PERMISSIONS: readonly Permission[] = [...SUPPORT, ...OPERATOR, ...ADMIN];

export function can(role: Role, permission: Permission): boolean {
  return TABLE[role].has(permission);
}

/** The least role that has it: what the UI names when a control is disabled. */
export function leastRoleWith(permission: Permission): Role {
  return ROLES.find((role) => can(role, permission)) ?? "admin";
}

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}
