import type { DehydratedState } from "@tanstack/react-query";
import { type AuditParams, toAuditQuery } from "#lib/client/audit-params.ts";
import { keys } from "#lib/client/keys.ts";
import { ListAudit } from "#lib/contracts/console/audit.ts";
import { listAudit } from "#services/audit/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";

export function prefetchAudit(params: AuditParams): Promise<DehydratedState> {
  const query = toAuditQuery(params);
  return prefetch({
    key: keys.audit.list(query),
    read: ({ ctx, actor }) => listAudit(ctx, actor, ListAudit.parse(present(query))),
  });
}
