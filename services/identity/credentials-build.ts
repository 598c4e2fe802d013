import { z } from "zod";
import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { ToolScope } from "#lib/authz/tool-scopes.ts";
import type { ReposerverBackend } from "#lib/backends/reposerver.ts";
import type { BuildCredentials, CredentialArchive } from "#lib/contracts/console/credentials.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { createMachineClientUntil } from "#services/accounts/service.ts";
import { record } from "#services/audit/service.ts";
import { loadDoorRootPem } from "#services/authorities/service.ts";
import { findRepo, targetsKeyPairs } from "#services/keyserver/service.ts";
import { credentialArchive } from "./credentials-zip.ts";

export type BuildCtx = Ctx & { readonly backends: { readonly reposerver: Pick<ReposerverBackend, "readMetadata"> } };

const SCOPES: readonly ToolScope[] = ["treehub:push", "treehub:read", "repo:read", "repo:write"];
const DAY_MS = 86_400_000;

/**
 * Makes a machine client and the credentials.zip with which build tools push and sign. The private targets key is in it only when
 * it is asked for.
 *
 * @returns the archive; the client's secret is in it and nowhere else
 * @throws AppError `auth.forbidden` | `request.conflict` (there is no root yet, or no targets key here to hand out) |
 *   `keys.unsealable` | `backend.*`
 * @see docs/contracts/gateway.md section 6
 */
export async function buildCredentials(
  ctx: BuildCtx,
  actor: Actor,
  input: BuildCredentials,
): Promise<{ clientId: string; archive: CredentialArchive }> {
  requirePermission(actor, "credential.manage");
  const root = await readRoot(ctx);
  const key = input.withTargetsKey ? await readTargetsKey(ctx) : null;
  const caPem = ctx.config.TOOLS_DOOR_CERT === undefined ? await loadDoorRootPem(ctx) : null;
  const scopes: ToolScope[] = input.offlineKeys ? [...SCOPES, "keys:offline"] : [...SCOPES];
  const expiresAt =
    input.expiresInDays === undefined ? null : new Date(ctx.clock().getTime() + input.expiresInDays * DAY_MS);
  const client = await createMachineClientUntil(ctx, actor, { name: input.name, scopes, expiresAt });
  await ctx.db.$transaction((tx) =>
    record(tx, ctx, actor, {
      action: "credentials.build",
      target: { kind: "machine_client", id: client.id, name: input.name },
      after: { clientId: client.clientId, scopes, withTargetsKey: input.withTargetsKey },
    }),
  );
  const toolsUrl = ctx.config.toolsUrl.replace(/\/+$/, "");
  const treehub = {
    no_auth: false,
    oauth2: {
      server: `${toolsUrl}/token`,
      client_id: client.clientId,
      client_secret: client.clientSecret,
      scope: scopes.join(" "),
    },
    ostree: { server: `${toolsUrl}/treehub/api/v3/` },
  };
  const archive = credentialArchive(`credentials-build-${client.clientId.slice(-8)}.zip`, {
    "treehub.json": JSON.stringify(treehub, null, 2),
    "tufrepo.url": `${toolsUrl}/repo`,
    "root.json": root.bytes,
    "targets.pub": JSON.stringify(key?.publicKey ?? root.targetsKey),
    ...(key === null ? {} : { "targets.sec": JSON.stringify(key.privateKey) }),
    "api_gateway.url": toolsUrl,
    ...(caPem === null ? {} : { "server_ca.pem": caPem }),
  });
  return { clientId: client.clientId, archive };
}

const PublicKey = z.object({ keytype: z.string(), keyval: z.object({ public: z.string() }) });
const Root = z.object({
  signed: z.object({
    keys: z.record(z.string(), PublicKey),
    roles: z.object({ targets: z.object({ keyids: z.array(z.string()).min(1) }) }),
  }),
});

/** The root as it is served: its bytes go into the archive unchanged. */
async function readRoot(ctx: BuildCtx): Promise<{ bytes: Buffer; targetsKey: z.infer<typeof PublicKey> }> {
  const bytes = await ctx.backends.reposerver.readMetadata(ctx, "root.json");
  if (bytes === null) throw new AppError("request.conflict", "The image repository has no signed root yet.");
  const { signed } = parseRoot(bytes);
  const targetsKey = signed.keys[signed.roles.targets.keyids[0] ?? ""];
  if (targetsKey === undefined) throw notARoot();
  return { bytes, targetsKey };
}

function parseRoot(bytes: Buffer): z.infer<typeof Root> {
  try {
    return Root.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw notARoot(cause);
  }
}

function notARoot(cause?: unknown): AppError {
  return new AppError("backend.invalid_reply", "What the image repository serves as its root is none.", { cause });
}

/** The first pair, both parts of the same key. */
async function readTargetsKey(ctx: BuildCtx) {
  if (ctx.config.REPOSERVER_URL !== undefined) {
    throw new AppError("request.conflict", "The image repository is another server: its keys must be exported there.");
  }
  const repo = await findRepo(ctx.db, ctx.namespaceId, "image");
  const pairs = repo === null ? null : await targetsKeyPairs(ctx, repo.repoId);
  const pair = pairs?.[0];
  if (pair === undefined) {
    throw new AppError("request.conflict", "The targets key is offline: there is no private key here to hand out.");
  }
  const { keytype, keyval } = pair;
  return {
    publicKey: { keytype, keyval: { public: keyval.public } },
    privateKey: { keytype, keyval: { private: keyval.private } },
  };
}
