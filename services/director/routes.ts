import type { FastifyInstance } from "fastify";
import type { CheckImages } from "#services/verification/service.ts";
import { registerAdminRoutes } from "./routes-admin.ts";
import { registerAssignmentRoutes } from "./routes-assignments.ts";
import { registerDeviceRoutes } from "./routes-device.ts";
import { registerUpdateRoutes } from "./routes-updates.ts";

/**
 * The director's OTA Connect contract, below `/api/v1`.
 *
 * @param options.checkImages looks at the stored bytes of images before they are assigned
 * @see docs/contracts/director.md
 */
export async function registerDirectorRoutes(
  app: FastifyInstance,
  options: { checkImages: CheckImages },
): Promise<void> {
  const { checkImages } = options;
  await app.register(registerAdminRoutes, { prefix: "/api/v1/admin" });
  await app.register(registerAssignmentRoutes, { prefix: "/api/v1", checkImages });
  await app.register(registerUpdateRoutes, { prefix: "/api/v1/updates", checkImages });
  await app.register(registerDeviceRoutes, { prefix: "/api/v1/device/:deviceId" });
}
