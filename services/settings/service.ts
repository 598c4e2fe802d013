import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { BackendId } from "#lib/backends/links.ts";
import type { BackendList, BackendReport } from "#lib/contracts/console/back-ends.ts";
import { ensureInstallId } from "#lib/db/install.ts";
import { VERSION } from "#lib/version.ts";
import { readServerVersion } from "./store.ts";

/** What back ends this install has, and what it is itself; no back end is asked. @throws AppError `auth.forbidden` */
export async function listBackends(ctx: BackendCtx, actor: Actor): Promise<BackendList> {
  requirePermission(actor, "setting.read");
  const [installId, database] = await Promise.all([ensureInstallId(ctx.db), readServerVersion(ctx.db)]);
  return {
    data: ctx.backends.list(),
    about: { version: VERSION, installId, node: process.version, database: `PostgreSQL ${database}` },
  };
}

/** How one back end is now, and what it can do. One that does not answer is an answer too. @throws AppError `auth.forbidden` */
export async function getBackend(ctx: BackendCtx, actor: Actor, id: BackendId): Promise<BackendReport> {
  requirePermission(actor, "setting.read");
  return ctx.backends.inspect(ctx, id);
}
