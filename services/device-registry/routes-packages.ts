import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import { AffectedBy, PackageListItem } from "#lib/contracts/ota/device-groups.ts";
import { InstalledPackages, PACKAGES_BODY_MAX_BYTES } from "#lib/contracts/ota/device-registry.ts";
import { isUniqueViolation } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { openDevice, pageOf, paramOf, sliceOf, withDevice } from "./request.ts";
import * as store from "./store-packages.ts";

const MAX_AFFECTED = 200_000;
const MAX_LISTED = 5_000;

/** Installed packages, and the list of those that people watch. @see contracts/device-registry.md section 7 */
export function registerPackageRoutes(app: FastifyInstance): void {
  app.put("/mydevice/:uuid/packages", { bodyLimit: PACKAGES_BODY_MAX_BYTES }, async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const packages = parseEntity(InstalledPackages, req.body);
    const of = { namespaceId: req.ctx.namespaceId, deviceUuid: device.uuid, at: req.ctx.clock() };
    await withDevice(req, device.uuid, (tx) => store.replacePackages(tx, of, packages));
    return reply.code(204).send();
  });
  app.get("/devices/:uuid/packages", async (req, reply) => {
    const device = await openDevice(req, reply);
    if (device === null) return reply;
    const slice = sliceOf(req);
    const { nameContains } = parseEntity(z.object({ nameContains: z.string().max(200).optional() }), req.query);
    const { values, total } = await store.listDevicePackages(
      req.ctx.db,
      { deviceUuid: device.uuid, nameContains },
      slice,
    );
    const packages = values.map(({ name, version, lastModified }) => ({
      device: device.uuid,
      packageId: { name, version },
      lastModified: otaInstant(lastModified),
    }));
    return pageOf(packages, { total, ...slice });
  });
  app.get("/device_packages", async (req) => {
    const slice = sliceOf(req);
    const { values, total } = await store.listPackages(req.ctx.db, req.ctx.namespaceId, slice);
    return pageOf(values, { total, ...slice });
  });
  app.get("/device_packages/:name", async (req) => {
    const slice = sliceOf(req);
    const of = { namespaceId: req.ctx.namespaceId, name: paramOf(req, "name") };
    const { values, total } = await store.listPackageVersions(req.ctx.db, of, slice);
    return pageOf(values, { total, ...slice });
  });
  app.post("/device_packages/affected", async (req) => {
    const packages = parseEntity(AffectedBy, req.body);
    const rows = await store.listAffected(req.ctx.db, req.ctx.namespaceId, { packages, limit: MAX_AFFECTED + 1 });
    if (rows.length > MAX_AFFECTED)
      throw new AppError("ota.payload_too_large", "Too many devices have these packages: ask for fewer at once.");
    const affected = new Map<string, { name: string; version: string }[]>();
    for (const { deviceUuid, name, version } of rows) {
      const found = affected.get(deviceUuid) ?? [];
      found.push({ name, version });
      affected.set(deviceUuid, found);
    }
    return Object.fromEntries(affected);
  });
  app.get("/device_count/:name/:version", async (req) =>
    store.countDevicesWith(req.ctx.db, req.ctx.namespaceId, packageOf(req)),
  );
  // The contract has it here too, where the device does not matter.
  app.get("/devices/:uuid/device_count/:name/:version", async (req, reply) => {
    const device = await openDevice(req, reply);
    return device === null ? reply : store.countDevicesWith(req.ctx.db, req.ctx.namespaceId, packageOf(req));
  });
  registerPackageListRoutes(app);
}

/** Section 7.1: for information only, nothing is blocked. */
function registerPackageListRoutes(app: FastifyInstance): void {
  app.get("/package_lists", async (req) => {
    const rows = await store.listListed(req.ctx.db, req.ctx.namespaceId);
    return rows.map(({ name, version, deviceCount }) => ({ packageId: { name, version }, deviceCount }));
  });
  app.post("/package_lists", async (req, reply) => {
    await addListed(req);
    return reply.code(201).send({});
  });
  app.put("/package_lists", async (req, reply) => {
    await store.updateListed(req.ctx.db, req.ctx.namespaceId, parseEntity(PackageListItem, req.body));
    return reply.code(204).send();
  });
  app.get("/package_lists/:name/:version", async (req) => {
    const packageId = packageOf(req);
    const found = await store.findListed(req.ctx.db, req.ctx.namespaceId, packageId);
    if (found === null) throw new AppError("ota.missing_entity", "Missing entity: PackageListItem");
    return { namespace: req.ctx.namespaceId, packageId, comment: found.comment };
  });
  app.delete("/package_lists/:name/:version", async (req, reply): Promise<FastifyReply> => {
    await store.deleteListed(req.ctx.db, req.ctx.namespaceId, packageOf(req));
    return reply.code(204).send();
  });
}

async function addListed(req: FastifyRequest): Promise<void> {
  const item = parseEntity(PackageListItem, req.body);
  const { db, namespaceId } = req.ctx;
  if ((await store.countListed(db, namespaceId)) >= MAX_LISTED)
    throw new AppError("ota.invalid_entity", `The list may have ${MAX_LISTED} packages at most.`);
  try {
    await store.insertListed(db, namespaceId, item);
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    throw new AppError("ota.conflicting_entity", "Entity already exists: PackageListItem", { cause });
  }
}

function packageOf(req: FastifyRequest): { name: string; version: string } {
  return { name: paramOf(req, "name"), version: paramOf(req, "version") };
}
