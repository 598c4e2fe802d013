import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import { prepareConsoleEnvironment } from "#lib/config/console-environment.ts";
import type { Config } from "#lib/config/load.ts";
import { requireSecret } from "#lib/config/load.ts";
import { disposeConsole } from "#lib/data/context.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { createConsoleServer } from "#lib/http/console-server.ts";
import { type Process, runProcess } from "#lib/process.ts";

const CLOSE_WITHIN_MS = 2_000;
const dev = process.argv.includes("--dev");

await runProcess("console", startConsole);

/** Next behind our own HTTP server. Pages and routes make their context on first use (lib/data/context.ts). */
async function startConsole({ config, secrets, log, onStop }: Process): Promise<void> {
  prepareConsoleEnvironment({
    publicUrl: config.publicUrl,
    authSecret: requireSecret(secrets, "NEXTAUTH_SECRET"),
    dev,
  });
  const { default: next } = await import("next");
  const app = next({
    dev,
    dir: fileURLToPath(new URL("..", import.meta.url)),
    hostname: config.HOST,
    port: config.PORT,
  });
  await app.prepare();
  onStop("next", () => app.close());
  const server = createConsoleServer({
    config,
    log,
    handle: app.getRequestHandler(),
    ...(dev ? { upgrade: app.getUpgradeHandler() } : {}),
  });
  onStop("console", disposeConsole);
  onStop("http", () => close(server));
  await listenOn(server, config);
}

/** @throws AppError `start.failed` when the port is taken */
async function listenOn(server: Server, config: Config): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: config.HOST, port: config.PORT }, resolve);
  try {
    await promise;
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE")) throw cause;
    const where = `${config.HOST}:${config.PORT}`;
    throw new AppError("start.failed", `${where} is taken. Stop what uses it or set PORT to another port.`, { cause });
  }
}

/** No new requests; those under way get a moment, event streams are told to come back. */
async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  await disposeConsole();
  setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS).unref();
  await promise;
}
