import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { ListAudit } from "#lib/contracts/console/audit.ts";
import { ListCertificates } from "#lib/contracts/console/certificates.ts";
import { ListImages } from "#lib/contracts/console/images.ts";
import { ListNotices } from "#lib/contracts/console/notices.ts";
import type { Overview } from "#lib/contracts/console/overview.ts";
import { ListUpdates } from "#lib/contracts/console/updates.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { listAudit } from "#services/audit/service.ts";
import { listImages } from "#services/catalog/service.ts";
import { countFleet } from "#services/fleet/service.ts";
import { getHeaderMode } from "#services/header-mode/service.ts";
import { countTrust, listCertificates, listRefusalRates } from "#services/identity/service.ts";
import { listNotices } from "#services/posture/service.ts";
import { listGateways } from "#services/revocation/service.ts";
import { hasProvenUpdate, listUpdates } from "#services/rollouts/service.ts";
import { listKeyWarnings } from "#services/signing-keys/service.ts";
import { listCondemned } from "#services/verification/service.ts";
import { toAttention } from "./attention.ts";

const UPDATES_SHOWN = 5;
const ENTRIES_SHOWN = 12;
const NOTICES_SHOWN = 20;

/** @throws AppError `auth.forbidden` */
export async function getOverview(ctx: BackendCtx, actor: Actor): Promise<Overview> {
  requirePermission(actor, "overview.read");
  const [
    fleet,
    trust,
    images,
    condemned,
    backends,
    roles,
    updates,
    running,
    latest,
    approved,
    proven,
    headerMode,
    gateways,
    notices,
    rates,
  ] = await Promise.all([
    countFleet(ctx, actor),
    countTrust(ctx, actor),
    countImages(ctx, actor),
    listCondemned(ctx, actor),
    ctx.backends.probe(ctx),
    listKeyWarnings(ctx, actor),
    listUpdates(ctx, actor, ListUpdates.parse({ limit: UPDATES_SHOWN })),
    countRunning(ctx, actor),
    listAudit(ctx, actor, ListAudit.parse({ limit: ENTRIES_SHOWN })),
    listCertificates(ctx, actor, ListCertificates.parse({ limit: 1, state: "allowed" })),
    hasProvenUpdate(ctx, actor),
    getHeaderMode(ctx, actor),
    listGateways(ctx, actor),
    listNotices(ctx, actor, ListNotices.parse({ limit: NOTICES_SHOWN, state: "open" })),
    listRefusalRates(ctx, actor),
  ]);
  return {
    attention: toAttention({
      fleet,
      trust,
      condemned,
      backends,
      roles,
      headerMode,
      measured: gateways.measured,
      notices: notices.data,
      refusals: rates.data,
    }),
    devices: { total: fleet.total, seenLastHour: fleet.seenLastHour, byStatus: fleet.byStatus },
    updates: updates.data,
    latest: latest.data,
    firstSteps: {
      connected: fleet.total > 0,
      approved: approved.total > 0,
      image: (images ?? 0) > 0,
      updated: proven,
    },
    backends,
    counts: { pending: trust.pending, refusals: trust.refusedLastDay, runningUpdates: running },
  };
}

async function countRunning(ctx: BackendCtx, actor: Actor): Promise<number> {
  const states = ["launching", "running", "cancelling"] as const;
  const pages = await Promise.all(
    states.map((state) => listUpdates(ctx, actor, ListUpdates.parse({ limit: 1, state }))),
  );
  return pages.reduce((sum, { total }) => sum + total, 0);
}

/** null when the repository does not answer: its own line says so. */
async function countImages(ctx: BackendCtx, actor: Actor): Promise<number | null> {
  try {
    return (await listImages(ctx, actor, ListImages.parse({ limit: 1 }))).total;
  } catch (error) {
    if (!isAppError(error) || !error.code.startsWith("backend.")) throw error;
    ctx.log.warn({ err: error }, "the overview goes without the images");
    return null;
  }
}
