import type { FastifyInstance } from "fastify";
import { readKeys, rehearseRotation, signAllAnew } from "./keys.ts";

/** Not part of the contract: what the console's page of keys needs beyond it. */
export async function registerKeyRoutes(app: FastifyInstance): Promise<void> {
  app.get("/repo/gatehouse/keys", (req) => readKeys(req.ctx));
  app.post("/repo/gatehouse/rehearsal", async (req) => ({ checks: await rehearseRotation(req.ctx) }));
  app.post("/repo/gatehouse/re-sign", async (req) => {
    await signAllAnew(req.ctx);
    return {};
  });
}
