import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type OtaPage, OtaPageQuery, OtaUuid } from "#lib/contracts/ota/common.ts";
import type { Tx } from "#lib/db/client.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { isJsonObject, type JsonObject, parseJsonBounded } from "#lib/uptane/json.ts";
import { missingDevice } from "./devices.ts";
import { missingGroup } from "./groups.ts";
import { findDevice, lockDevice, type RegistryRow } from "./store-devices.ts";
import { findGroup, type GroupRow } from "./store-groups.ts";

/** Of the contract's two, told apart by the base path. @see contracts/README.md section 1 */
export type Generation = "A" | "B";

const LOOKUP_LIMITS = { maxBytes: 4_194_304, maxDepth: 8, maxNodes: 50_000 };

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
  return device.namespaceId === req.ctx.namespaceId ? device : refuseForeign(reply);
}

/** {@link openDevice} for a group. @throws AppError `ota.missing_entity` */
export async function openGroup(req: FastifyRequest, reply: FastifyReply): Promise<GroupRow | null> {
  const id = OtaUuid.safeParse(paramOf(req, "groupId"));
  const group = id.success ? await findGroup(req.ctx.db, id.data) : null;
  if (group === null) throw missingGroup();
  return group.namespaceId === req.ctx.namespaceId ? group : refuseForeign(reply);
}

/** Keeps the device from being deleted meanwhile, so that nothing is stored for one that is gone. @throws AppError `device.not_found` */
export async function withDevice(req: FastifyRequest, uuid: string, write: (tx: Tx) => Promise<void>): Promise<void> {
  await req.ctx.db.$transaction(async (tx) => {
    if (!(await lockDevice(tx, req.ctx.namespaceId, uuid))) throw missingDevice();
    await write(tx);
  });
}

function refuseForeign(reply: FastifyReply): null {
  reply
    .code(403)
    .type("text/plain; charset=utf-8")
    .send("The supplied authentication is not authorized to access this resource");
  return null;
}

export function paramOf(req: FastifyRequest, name: string): string {
  return parseEntity(z.record(z.string(), z.string()), req.params)[name] ?? "";
}

/** Answers for a query parameter that the contract requires, 404 in plain text. @returns whether all are there */
export function hasParameters(req: FastifyRequest, reply: FastifyReply, names: readonly string[]): boolean {
  const query = parseEntity(z.record(z.string(), z.unknown()), req.query);
  const missing = names.find((name) => query[name] === undefined);
  if (missing === undefined) return true;
  reply.code(404).type("text/plain; charset=utf-8").send(`Request is missing required query parameter '${missing}'`);
  return false;
}

/** The body of a GET, which Fastify leaves unread, when it is a JSON object; null for every other. @throws AppError `ota.payload_too_large` */
export async function readLookupBody(req: FastifyRequest, reply: FastifyReply): Promise<JsonObject | null> {
  const { "content-length": length, "transfer-encoding": encoding } = req.headers;
  if (encoding === undefined && (length === undefined || length === "0")) return null;
  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of req.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    received += chunk.length;
    if (received > LOOKUP_LIMITS.maxBytes) {
      // The rest is read and dropped until the refusal is out, and the connection ends with it.
      reply.header("connection", "close");
      req.raw.resume();
      throw new AppError("ota.payload_too_large", "The list of ids is too long.");
    }
    chunks.push(chunk);
  }
  try {
    const body = parseJsonBounded(Buffer.concat(chunks), LOOKUP_LIMITS);
    return isJsonObject(body) ? body : null;
  } catch (error) {
    if (isAppError(error, "uptane.malformed")) return null;
    throw error;
  }
}

type Slice = { offset: number; limit: number };

export function sliceOf(req: FastifyRequest): Slice {
  return parseEntity(OtaPageQuery, req.query);
}

export function pageOf<T>(values: T[], of: Slice & { total: number }): OtaPage<T> {
  return { values, total: of.total, offset: of.offset, limit: of.limit };
}

/** A bare JSON string or number, which Fastify would send as plain text. */
export function sendJson(reply: FastifyReply, value: string | number): FastifyReply {
  return reply.type("application/json").send(JSON.stringify(value));
}
