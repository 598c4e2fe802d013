/** What a machine client may be given at the tools door. Each is written as OAuth2 writes scopes, separated by blanks. */
export const TOOL_SCOPES = ["treehub:push", "treehub:read", "repo:read", "repo:write", "keys:offline"] as const;
export type ToolScope = (typeof TOOL_SCOPES)[number];

export function isToolScope(text: string): text is ToolScope {
  return (TOOL_SCOPES as readonly string[]).includes(text);
}
