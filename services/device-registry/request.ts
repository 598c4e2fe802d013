import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type OtaPage, OtaPageQuery, OtaUuid } from "#lib/contracts/ota/common.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { missingDevice } from "./devices.ts";
import { findDevice, type RegistryRow } from "./store-devices.ts";

/**
 * The device that the address names. One of another namespace is answered here, 403 in plain text: null then.
 *
 * @throws AppError `device.not_found`
 * @see contracts/device-registry.md, introduction
 */
export async function openDevice(req: FastifyRequest, reply: FastifyReply): Promise<RegistryRow | null> {
  const uuid = OtaUuid.safeParse(paramOf(req, "uuid"));
  const device = uuid.success ? await findDevice(req.ctx.db, uuid.data) : null;
  if (device === null) throw missingDevice();
  if (device.namespaceId === req.ctx.namespaceId) return device;
  reply
    .code(403)
    .type("text/plain; charset=utf-8")
    .send("The supplied authentication is not authorized to access this resource");
  return null;
}

export function paramOf(req: FastifyRequest, name: string): string {
  return parseEntity(z.record(z.string(), z.string()), req.params)[name] ?? "";
}

type Slice = { offset: number; limit: number };

export function sliceOf(req: FastifyRequest): Slice {
  return parseEntity(OtaPageQuery, req.query);
}

export function pageOf<T>(values: T[], of: Slice & { total: number }): OtaPage<T> {
  return { values, total: of.total, offset: of.offset, limit: of.limit };
}

/** A bare JSON string, which Fastify would send as plain text. */
export function sendJson(reply: FastifyReply, value: string): FastifyReply {
  return reply.type("application/json").send(JSON.stringify(value));
}
