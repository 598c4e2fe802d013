import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { openBlobs } from "#lib/blobs/open.ts";
import type { BlobStore } from "#lib/blobs/store.ts";
import type { Ctx } from "#lib/ctx.ts";
import { createOtaServer } from "#lib/http/server.ts";
import { registerTreehubRoutes } from "#services/treehub/routes.ts";
import type { TreehubCtx } from "#services/treehub/service.ts";
import type { TestRepository } from "#tests/harness/ostree.ts";

const TOKEN = "treehub-tests-services-token-0123456789";
export const authorization = `Bearer ${TOKEN}`;

/** A services process of its own: a server on a real socket. */
export type Hub = {
  readonly app: FastifyInstance;
  readonly url: string;
  readonly ctx: TreehubCtx;
  call(path: string, init?: RequestInit & { namespace?: string }): Promise<Response>;
};

export async function startHub(ctx: Ctx, blobs: BlobStore = openBlobs(ctx.config)): Promise<Hub> {
  const app = createOtaServer({ ctx, servicesToken: TOKEN });
  registerTreehubRoutes(app, { blobs });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    app,
    url,
    ctx: { ...ctx, blobs },
    call(path, { namespace, ...init } = {}) {
      const headers = new Headers(init.headers);
      headers.set("authorization", authorization);
      if (namespace !== undefined) headers.set("x-ats-namespace", namespace);
      return fetch(`${url}/api/v2${path}`, { redirect: "manual", ...init, headers });
    },
  };
}

export const addressOf = (object: string) => `/objects/${object.slice(0, 2)}/${object.slice(2)}`;
export const bytesOf = (repository: TestRepository, object: string) =>
  Uint8Array.from(readFileSync(repository.pathOf(object)));

export function post(hub: Hub, object: string, bytes: Uint8Array<ArrayBuffer>, namespace?: string): Promise<Response> {
  return hub.call(addressOf(object), {
    method: "POST",
    body: bytes,
    headers: { "content-type": "application/octet-stream" },
    ...(namespace === undefined ? {} : { namespace }),
  });
}

/** Status, and the code of the answer's body when it has one. */
export async function codeOf(reply: Response | Promise<Response>): Promise<[number, string]> {
  const { status, ...rest } = { status: (await reply).status, text: await (await reply).text() };
  try {
    return [status, String(JSON.parse(rest.text).code)];
  } catch {
    return [status, rest.text];
  }
}
