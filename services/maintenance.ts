import type { FastifyInstance } from "fastify";
import type { BlobStore } from "#lib/blobs/store.ts";
import { assignAddedImages, refreshDeviceRoles, startDueUpdates } from "#services/director/service.ts";
import { dropStaleUploads, refreshImageRoles, sweepBlobs } from "#services/image-repo/service.ts";
import { refreshRoots } from "#services/keyserver/service.ts";
import { sweepTreehub } from "#services/treehub/service.ts";
import type { CheckImages } from "#services/verification/service.ts";

/** Uploads are durable before their row is written; what has no row after this long never gets one. */
const ORPHANED_AFTER_MS = 60 * 60_000;

/**
 * Our own extension, called by the worker. Every second it starts updates whose time has come and assigns new images that devices wait
 * for; seldom it re-signs metadata, long before it ends, and sweeps bytes that nothing owns. The worker has no other way in, because the
 * embedded services are behind HTTP like any others.
 */
export function registerMaintenance(
  app: FastifyInstance,
  { blobs, checkImages }: { blobs: BlobStore; checkImages: CheckImages },
): void {
  app.get("/api/v1/gatehouse/storage", async () => {
    await blobs.check();
    return { status: "OK" };
  });
  app.post("/api/v1/gatehouse/maintenance", async (req) => {
    const { ctx } = req;
    const roots = await refreshRoots(ctx);
    const imageRoles = await refreshImageRoles(ctx);
    const devices = await refreshDeviceRoles(ctx);
    await dropStaleUploads(ctx);
    const orphanedBefore = new Date(ctx.clock().getTime() - ORPHANED_AFTER_MS);
    const swept =
      (await sweepBlobs({ ...ctx, blobs }, orphanedBefore)) + (await sweepTreehub({ ...ctx, blobs }, orphanedBefore));
    ctx.log.info({ roots, imageRoles, devices, swept }, "maintained the repositories");
    return { roots, imageRoles, devices, swept };
  });
  app.post("/api/v1/gatehouse/due", async (req) => {
    const ctx = { ...req.ctx, checkImages };
    const updates = await startDueUpdates(ctx);
    const images = await assignAddedImages(ctx);
    if (updates + images > 0) req.ctx.log.info({ updates, images }, "did what was due");
    return { updates, images };
  });
}
