import type { AuditRecord } from "#services/audit/service.ts";

/** This repository as the audit log names it. */
export const REPOSITORY: AuditRecord["target"] = { kind: "repository", id: "image", name: "image repository" };
