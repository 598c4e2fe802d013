import type { FastifyInstance } from "fastify";
import { readKeys, rehearseRotation, signAnew } from "./keys.ts";
import type { OpenRepo } from "./routes.ts";

/** Part of our extension: what the console's page of keys needs beyond the contract. */
export function registerKeyRoutes(app: FastifyInstance, openRepo: OpenRepo): void {
  app.get("/gatehouse/keys", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    return readKeys(ctx, repoId);
  });
  app.post("/gatehouse/rehearsal", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    return { checks: await rehearseRotation(ctx, repoId) };
  });
  app.post("/gatehouse/re-sign", async (req, reply) => {
    const { ctx, repoId } = await openRepo(req, reply);
    await signAnew(ctx, repoId);
    return {};
  });
}
