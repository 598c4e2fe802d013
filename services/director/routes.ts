import type { FastifyInstance } from "fastify";
import { registerAdminRoutes } from "./routes-admin.ts";
import { registerAssignmentRoutes } from "./routes-assignments.ts";
import { registerDeviceRoutes } from "./routes-device.ts";
import { registerUpdateRoutes } from "./routes-updates.ts";

/** The director's OTA Connect contract, below `/api/v1`. @see docs/contracts/director.md */
export async function registerDirectorRoutes(app: FastifyInstance): Promise<void> {
  await app.register(registerAdminRoutes, { prefix: "/api/v1/admin" });
  await app.register(registerAssignmentRoutes, { prefix: "/api/v1" });
  await app.register(registerUpdateRoutes, { prefix: "/api/v1/updates" });
  await app.register(registerDeviceRoutes, { prefix: "/api/v1/device/:deviceId" });
}
