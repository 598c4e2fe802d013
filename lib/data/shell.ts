import type { DehydratedState } from "@tanstack/react-query";
import { keys, PENDING_COUNT, RUNNING_COUNT } from "#lib/client/keys.ts";
import { ListCertificates } from "#lib/contracts/console/certificates.ts";
import { ListUpdates } from "#lib/contracts/console/updates.ts";
import { listCertificates } from "#services/identity/service.ts";
import { listUpdates } from "#services/rollouts/service.ts";
import { prefetch } from "./prefetch.ts";

/** The rail's counts. */
export function prefetchShell(): Promise<DehydratedState> {
  return prefetch(
    {
      key: keys.certificates.list(PENDING_COUNT),
      read: ({ ctx, actor }) => listCertificates(ctx, actor, ListCertificates.parse(PENDING_COUNT)),
    },
    {
      key: keys.updates.list(RUNNING_COUNT),
      read: ({ ctx, actor }) => listUpdates(ctx, actor, ListUpdates.parse(RUNNING_COUNT)),
    },
  );
}
