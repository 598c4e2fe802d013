import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { OtaUuid } from "#lib/contracts/ota/common.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { findDirectorRepo } from "./repository.ts";

/** A path parameter; an address with something else than a UUID there does not exist. @throws AppError `ota.missing_entity` */
export function uuidParam(req: FastifyRequest, name: string): string {
  const parsed = OtaUuid.safeParse(param(req, name));
  if (!parsed.success) throw new AppError("ota.missing_entity", "Missing entity: Device");
  return parsed.data;
}

export function param(req: FastifyRequest, name: string): string {
  const params = parseEntity(z.record(z.string(), z.string()), req.params);
  return params[name] ?? "";
}

/** Up to ten digits; more is no version that was ever made. */
export function versionParam(req: FastifyRequest): number {
  const text = param(req, "version");
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
}

/** @returns the first value of a comma separated list of ids, at most `max` of them */
export function idsOf(text: string | undefined, max: number): string[] {
  const ids = (text ?? "").split(",").filter((id) => id !== "");
  return parseEntity(z.array(OtaUuid), ids.slice(0, max));
}

/** Whether the caller wants what the device has fetched to be taken back too. */
export function isForced(req: FastifyRequest): boolean {
  return req.headers["x-trx-force"] === "true";
}

/** A bare string or array would be taken for finished text. */
export function sendJson(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type("application/json").send(JSON.stringify(value));
}

/** Metadata goes out as the bytes that were signed, never printed again. */
export function sendSigned(reply: FastifyReply, bytes: Uint8Array): FastifyReply {
  return reply.type("application/json").send(Buffer.from(bytes));
}

/**
 * Without a director repository, these addresses answer 403 in plain text.
 *
 * @see contracts/director.md, introduction; contracts/README.md section 3, "namespace mismatch"
 */
export async function requireRepo(req: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  if ((await findDirectorRepo(req.ctx)) !== null) return undefined;
  return reply
    .code(403)
    .type("text/plain; charset=utf-8")
    .send("The supplied authentication is not authorized to access this resource");
}
