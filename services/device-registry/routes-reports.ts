import type { FastifyInstance } from "fastify";
import { openDevice, pageOf, sliceOf } from "./request.ts";
import { listHistory, listReports } from "./store-reports.ts";

/** How a device's updates and ECU replacements ended. @see contracts/device-registry.md section 9 */
export function registerReportRoutes(app: FastifyInstance): void {
  for (const [path, list] of [
    ["installation_reports", listReports],
    ["installation_history", listHistory],
  ] as const) {
    app.get(`/devices/:uuid/${path}`, async (req, reply) => {
      const device = await openDevice(req, reply);
      if (device === null) return reply;
      const slice = sliceOf(req);
      const { values, total } = await list(req.ctx.db, device.uuid, slice);
      return pageOf(values, { total, ...slice });
    });
  }
}
