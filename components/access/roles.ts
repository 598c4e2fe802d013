import type { Role } from "#lib/authz/permissions.ts";

/** What each role is for, in a sentence. */
export const ROLE_TEXT: Readonly<Record<Role, string>> = {
  support: "Looks everything up, changes nothing.",
  operator: "Also uploads images, launches and cancels updates, renames devices.",
  admin: "Also decides who comes through the door, and manages people and tokens.",
};
