import type { FastifyInstance } from "fastify";
import { ExpireNotBefore } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { parseEntity } from "#lib/http/ota-parse.ts";
import { takeSignedBodies } from "#lib/http/signed-body.ts";
import { canonicalBytes } from "#lib/uptane/canonical.ts";
import type { Json } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { deletePrivateKey, exportKey, setExpireNotBefore, unsignedRoot } from "#services/keyserver/service.ts";
import { pushImageRoot, rotateImageRoot } from "./root.ts";
import { type OpenRepo, sendSigned } from "./routes.ts";
import { putSignedTargets } from "./signed-targets.ts";

type ByKey = { Params: { keyId: string } };

/**
 * The root and its keys, as signing tools work on them. Who may is decided at the door: these routes answer to whoever holds the
 * services token.
 *
 * @see contracts/reposerver-keyserver.md sections 1 and 2
 */
export function registerRootRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  app.get("/root", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    return sendSigned(reply, canonicalBytes(await unsignedRoot(ctx, repoId)), null);
  });
  app.post("/root", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    if (req.body === undefined) throw new AppError("ota.invalid_entity", "A signed root is needed.");
    await pushImageRoot(ctx, repoId, req.body as Json); // what the server's own parser has read
    return {};
  });
  app.put("/root/rotate", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await rotateImageRoot(ctx, repoId);
    return {};
  });
  app.get<ByKey>("/root/private_keys/:keyId", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const pair = await exportKey(ctx, repoId, keyIdOf(req.params));
    return reply.header("cache-control", "no-store").send(pair);
  });
  app.delete<ByKey>("/root/private_keys/:keyId", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await deletePrivateKey(ctx, repoId, keyIdOf(req.params));
    return {};
  });
  app.put("/targets/expire/not-before", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    const { expireAt } = parseEntity(ExpireNotBefore, req.body);
    await setExpireNotBefore(ctx, repoId, expireAt);
    return reply.code(204).send();
  });
}

/** The list of images, signed elsewhere. @see contracts/reposerver-keyserver.md section 5 */
export function registerSignedTargetsRoute(app: FastifyInstance, openRepo: OpenRepo): void {
  app.register(async (uploads) => {
    takeSignedBodies(uploads, METADATA_LIMITS.imageTargets.maxBytes);
    uploads.put("/targets", async (req, reply) => {
      const { ctx, repoId } = await openRepo(req, reply);
      const stated = req.headers["x-ats-role-checksum"];
      const replaces = typeof stated === "string" && stated !== "" ? stated : null;
      const bytes = req.rawBody ?? Buffer.alloc(0);
      const checksum = await putSignedTargets(ctx, repoId, { bytes, replaces });
      return reply.code(204).header("x-ats-role-checksum", checksum).send();
    });
  });
}

/** @throws AppError `ota.keypair_not_found` */
function keyIdOf({ keyId }: { keyId: string }): string {
  if (/^[0-9a-f]{64}$/.test(keyId)) return keyId;
  throw new AppError("ota.keypair_not_found", "There is no private key of this id.");
}
