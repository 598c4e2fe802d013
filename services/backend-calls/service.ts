import type { Readable } from "node:stream";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { asksForAllComments, readAllComments } from "#lib/backends/comments.ts";
import type { ProxyRow } from "#lib/backends/proxy-table.ts";
import type { Relay, RelayReply, RelayRequest } from "#lib/backends/relay.ts";
import { Uuid } from "#lib/contracts/console/common.ts";
import { auditBackendChange } from "#services/audit/service.ts";
import { revokeCertificatesOfDevice } from "#services/identity/service.ts";
import { isSyncNeeded, noteTraffic } from "#services/sync/service.ts";
import { judgeImages } from "./images.ts";

export type RelayCtx = BackendCtx & { readonly relay: Relay; readonly signal: AbortSignal };

export type BackendCallInput = {
  row: ProxyRow;
  parameters: readonly string[];
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  query: string;
  headers: Readonly<Record<string, string>>;
  body: Readable | null;
};

/**
 * Relays one call to a back end.
 *
 * @throws AppError `auth.forbidden` | `update.invalid` (an image that does not verify) | `backend.unreachable` | `backend.timeout` |
 *   what broke the body
 */
export async function callBackend(ctx: RelayCtx, actor: Actor, input: BackendCallInput): Promise<RelayReply> {
  requirePermission(actor, input.row.permission);
  const request: RelayRequest = {
    service: input.row.service,
    method: input.method,
    path: input.path + input.query,
    headers: input.headers,
    body: input.body,
  };
  if (ctx.config.REPOSERVER_URL !== undefined && asksForAllComments(request)) {
    return readAllComments(ctx.relay, ctx, request);
  }
  if (!isChange(input)) return ctx.relay.send(ctx, request);
  const entry = {
    action: "backend.call" as const,
    target: { kind: "backend" as const, id: input.row.service, name: `${input.method} ${input.path}`.slice(0, 300) },
    after: { method: input.method, path: input.path.slice(0, 1_000) },
  };
  return auditBackendChange(ctx, { actor, entry }, async (finish) => {
    await doOwnPart(ctx, actor, input);
    const body = input.row.also === "judge-images" ? await judgeImages(ctx, input) : input.body;
    const reply = await ctx.relay.send(ctx, { ...request, body });
    const outcome = reply.status < 400 ? "done" : reply.status < 500 ? "refused" : "unknown";
    await ctx.db.$transaction((tx) => finish(tx, { status: reply.status }, outcome));
    await noteDevice(ctx, input);
    return reply;
  });
}

/** A POST that only reads stands under a reading permission. */
function isChange({ method, row }: BackendCallInput): boolean {
  return method !== "GET" && method !== "HEAD" && !row.permission.endsWith(".read");
}

/** What an external back end has changed of one device is read there at once. */
async function noteDevice(ctx: RelayCtx, { row, parameters }: BackendCallInput): Promise<void> {
  const deviceUuid = Uuid.safeParse(parameters[0]);
  if (!isSyncNeeded(ctx.config) || row.service === "reposerver" || !deviceUuid.success) return;
  await noteTraffic(ctx, [deviceUuid.data]);
}

async function doOwnPart(ctx: RelayCtx, actor: Actor, { row, parameters }: BackendCallInput): Promise<void> {
  const deviceUuid = Uuid.safeParse(parameters[0]);
  if (row.also !== "revoke-certificates" || !deviceUuid.success) return;
  await ctx.db.$transaction((tx) => revokeCertificatesOfDevice(tx, ctx, actor, deviceUuid.data));
}
