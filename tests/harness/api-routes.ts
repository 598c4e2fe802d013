import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Endpoint } from "#lib/contracts/console/endpoint.ts";

export type Handler = (req: Request) => Promise<Response>;
export type RouteFile = { path: string; handlers: Record<string, Handler> };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Every route file below app/api/v1, found in the folder: a forgotten one cannot be forgotten here too. */
export async function loadApiRoutes(): Promise<RouteFile[]> {
  const files = globSync("app/api/v1/**/route.ts", { cwd: ROOT }).sort();
  return Promise.all(
    files.map(async (file) => {
      const exported: Record<string, unknown> = await import(`${ROOT}${file}`);
      const handlers = VERBS.flatMap((verb) => {
        const handler = exported[verb];
        return typeof handler === "function" ? [[verb, handler as Handler] as const] : []; // what Next calls it with too
      });
      const path = `/${file.replace(/^app\//, "").replace(/\/route\.ts$/, "")}`.replace(/\[(\w+)\]/g, "{$1}");
      return { path, handlers: Object.fromEntries(handlers) };
    }),
  );
}

export function endpointOf(handler: Handler): Endpoint | null {
  return "endpoint" in handler ? (handler.endpoint as Endpoint) : null; // put there by lib/http/route.ts
}
