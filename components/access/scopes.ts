import type { ToolScope } from "#lib/authz/tool-scopes.ts";

/** What each scope opens at the tools door, in a line. */
export const SCOPE_TEXT: Readonly<Record<ToolScope, string>> = {
  "treehub:push": "Stores OSTree objects and refs; reading is included.",
  "treehub:read": "Reads OSTree objects and refs.",
  "repo:read": "Reads images and their metadata.",
  "repo:write": "Uploads images, signs and delegates targets; reading is included.",
  "keys:offline": "Takes private keys out of the server, pushes a root, rotates keys.",
};
