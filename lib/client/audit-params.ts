import { parseAsString } from "nuqs/server";

export const AUDIT_PAGE_SIZE = 50;

/** The audit log's filter, in the URL. */
export const auditParams = {
  q: parseAsString.withDefault(""),
  action: parseAsString.withDefault(""),
  targetKind: parseAsString.withDefault(""),
  targetId: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

export type AuditParams = { q: string; action: string; targetKind: string; targetId: string; cursor: string };

export function toAuditQuery(params: AuditParams) {
  return { ...params, limit: AUDIT_PAGE_SIZE };
}
