import type { FastifyInstance } from "fastify";
import { createBackends } from "#lib/backends/backends.ts";
import { openBlobs } from "#lib/blobs/open.ts";
import type { BlobStore } from "#lib/blobs/store.ts";
import type { Config } from "#lib/config/load.ts";
import { requireSecret } from "#lib/config/load.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { createOtaServer } from "#lib/http/server.ts";
import { runProcess } from "#lib/process.ts";
import { registerDeviceRegistryRoutes } from "#services/device-registry/routes.ts";
import { registerDirectorRoutes } from "#services/director/routes.ts";
import { deleteDevice } from "#services/director/service.ts";
import { registerImageRepoRoutes } from "#services/image-repo/routes.ts";
import { ownRepository } from "#services/image-repo/service.ts";
import { registerKeyserverRoutes } from "#services/keyserver/routes.ts";
import { ensureRepo } from "#services/keyserver/service.ts";
import { registerMaintenance } from "#services/maintenance.ts";
import { registerTreehubRoutes } from "#services/treehub/routes.ts";
import { type CheckedRepository, createImageChecks, httpRepository } from "#services/verification/service.ts";

/** Longer than a connection may be idle: an upload that has not grown for so long is dead. */
const DEAD_UPLOAD_MS = 600_000;

if (import.meta.main) {
  await runProcess("services", async ({ config, secrets, ctx, onStop }) => {
    await ensureRepo(ctx, "image");
    await ensureRepo(ctx, "director");
    const blobs = openBlobs(config, secrets);
    onStop("blobs", () => blobs.close());
    await sweepDeadUploads(ctx, blobs);
    const parts: ServiceParts = { blobs };
    if (config.REPOSERVER_URL !== undefined) {
      const backends = createBackends(config, secrets);
      onStop("back ends", () => backends.close());
      parts.images = httpRepository(backends);
    }
    const app = createServices(ctx, requireSecret(secrets, "SERVICES_TOKEN"), parts);
    onStop("http", () => app.close());
    await listenOn(app, config);
  });
}

type ServiceParts = {
  blobs?: BlobStore;
  /** Where the images are that the director assigns, when they are not here. */
  images?: CheckedRepository;
};

/** All embedded OTA Connect services on one server; their paths do not collide. */
export function createServices(ctx: Ctx, servicesToken: string, parts: ServiceParts = {}): FastifyInstance {
  const blobs = parts.blobs ?? openBlobs(ctx.config);
  const checkImages = createImageChecks(parts.images ?? ownRepository(blobs));
  const app = createOtaServer({ ctx, servicesToken });
  registerDeviceRegistryRoutes(app, { onDelete: deleteDevice });
  app.register(registerDirectorRoutes, { checkImages });
  registerImageRepoRoutes(app, { blobs });
  app.register(registerKeyserverRoutes);
  registerTreehubRoutes(app, { blobs });
  registerMaintenance(app, { blobs, checkImages });
  return app;
}

/** Object storage that does not answer yet keeps nothing else from working; the worker's sweep comes later. */
async function sweepDeadUploads(ctx: Ctx, blobs: BlobStore): Promise<void> {
  try {
    await blobs.sweepStaged(new Date(Date.now() - DEAD_UPLOAD_MS));
  } catch (err) {
    if (!isAppError(err, "internal.unavailable")) throw err;
    ctx.log.error({ err }, "the blob storage can't be used");
  }
}

/** @throws AppError `start.failed` when the port is taken */
async function listenOn(app: FastifyInstance, config: Config): Promise<void> {
  try {
    await app.listen({ host: config.SERVICES_HOST, port: config.SERVICES_PORT });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE")) throw cause;
    const where = `${config.SERVICES_HOST}:${config.SERVICES_PORT}`;
    throw new AppError("start.failed", `${where} is taken. Stop what uses it or set SERVICES_PORT to another port.`, {
      cause,
    });
  }
}
