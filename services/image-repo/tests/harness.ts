import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { openBlobs } from "#lib/blobs/open.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createOtaServer } from "#lib/http/server.ts";
import {
  type VerifiedImageTargets,
  type VerifiedRoot,
  verifyImageTargets,
  verifyInitialRoot,
  verifyNextRoot,
  verifySnapshot,
  verifyTimestamp,
} from "#lib/uptane/verify.ts";
import { registerImageRepoRoutes } from "#services/image-repo/routes.ts";

const TOKEN = "image-repo-tests-services-token-0123456789";

/** A services process of its own: a server on a real socket. */
export type Server = {
  readonly app: FastifyInstance;
  readonly url: string;
  call(path: string, init?: RequestInit & { namespace?: string; duplex?: "half" }): Promise<Response>;
};

export async function startServer(ctx: Ctx): Promise<Server> {
  const app = createOtaServer({ ctx, servicesToken: TOKEN });
  registerImageRepoRoutes(app, { blobs: openBlobs(ctx.config) });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    app,
    url,
    call(path, { namespace, ...init } = {}) {
      const headers = new Headers(init.headers);
      headers.set("authorization", `Bearer ${TOKEN}`);
      if (namespace !== undefined) headers.set("x-ats-namespace", namespace);
      return fetch(`${url}/api/v1/user_repo${path}`, { ...init, headers });
    },
  };
}

export const authorization = `Bearer ${TOKEN}`;
export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export function upload(
  server: Server,
  filename: string,
  bytes: Uint8Array,
  query: Record<string, string> = {},
): Promise<Response> {
  const names = new URLSearchParams({ name: "app", version: "1", hardwareIds: "rpi4", ...query });
  return server.call(`/targets/${encodeURIComponent(filename)}?${names}`, {
    method: "PUT",
    body: Uint8Array.from(bytes),
    headers: { "content-type": "application/octet-stream" },
  });
}

export async function bytesOf(reply: Response | Promise<Response>): Promise<Buffer> {
  return Buffer.from(await (await reply).arrayBuffer());
}

/** The whole check a device makes, with the order it makes it in, over what the server serves. */
export async function verifyAsDevice(
  server: Server,
  now: Date,
): Promise<{ root: VerifiedRoot; targets: VerifiedImageTargets; versions: number[] }> {
  const get = async (name: string) => {
    const reply = await server.call(`/${name}`);
    if (reply.status !== 200) throw new Error(`${name}: ${reply.status}`);
    return bytesOf(reply);
  };
  let root = verifyInitialRoot(await get("1.root.json"), 1);
  for (;;) {
    const next = await server.call(`/${root.signed.version + 1}.root.json`);
    if (next.status === 404) break;
    root = verifyNextRoot(root, await bytesOf(next));
  }
  const timestamp = verifyTimestamp({ bytes: await get("timestamp.json"), root, now });
  const snapshot = verifySnapshot({ bytes: await get("snapshot.json"), root, now, timestamp });
  const targets = verifyImageTargets({ bytes: await get("targets.json"), root, now, snapshot });
  return { root, targets, versions: [targets, snapshot, timestamp].map(({ signed }) => signed.version) };
}
