import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import http, { type RequestListener } from "node:http";
import type https from "node:https";
import { connect, type Server } from "node:net";
import type { Config } from "#lib/config/load.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { Log } from "#lib/log/log.ts";
import { createTlsServer } from "./decision-tls.ts";
import { listenOn } from "./listen-on.ts";

export type DecisionWays = Pick<Config, "DECISION_HOST" | "DECISION_PORT"> &
  Partial<Pick<Config, "DECISION_SOCKET" | "DECISION_TLS_CERT" | "DECISION_TLS_KEY" | "DECISION_TLS_CLIENT_CA">>;

/** A certificate's PEM, URL-encoded, and what a browser would send beside it. */
const BOUNDS = { headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 128 * 1024 } as const;
const SOCKET_MODE = 0o660;
const FILES_CHECK_MS = 60_000;

export type OpenWays = {
  readonly port: number;
  /** Takes renewed files of the TLS into use; it also happens by itself once a minute. */
  refreshTls(): void;
  close(): Promise<void>;
};

/**
 * Opens the ways on which proxies ask: the port, in clear text or with TLS and client certificates of DECISION_TLS_CLIENT_CA, and a Unix
 * socket that only its owner and group can use.
 *
 * @throws AppError `start.failed` (port or socket) | `config.invalid` (a file of the TLS settings)
 */
export async function openDecisionWays(
  ways: DecisionWays,
  { listener, log }: { listener: RequestListener; log: Log },
): Promise<OpenWays> {
  const { DECISION_SOCKET: path } = ways;
  const tls = createTlsServer(ways, { bounds: BOUNDS, listener, log });
  const first = tls?.server ?? http.createServer(BOUNDS, listener);
  const servers: (http.Server | https.Server)[] = [first];
  const at = { host: ways.DECISION_HOST, port: ways.DECISION_PORT, setting: "DECISION_PORT" };
  const port = await listenOn(first, at);
  if (path !== undefined) {
    const server = http.createServer(BOUNDS, listener);
    await listenOnSocket(server, path);
    servers.push(server);
  }
  const refreshTls = () => tls?.refresh();
  const checking = tls === null ? undefined : setInterval(refreshTls, FILES_CHECK_MS);
  return {
    port,
    refreshTls,
    async close() {
      clearInterval(checking);
      await Promise.all(
        servers.map(
          (server) =>
            new Promise<void>((done) => {
              server.close(() => done());
              server.closeAllConnections();
            }),
        ),
      );
    },
  };
}

async function listenOnSocket(server: Server, path: string): Promise<void> {
  await removeStale(path);
  await new Promise<void>((done, fail) => {
    server.once("error", (cause) => {
      const why = `DECISION_SOCKET ${path} can't be bound. Its folder must exist and belong to this user.`;
      fail(new AppError("start.failed", why, { cause }));
    });
    server.listen(path, done);
  });
  server.removeAllListeners("error");
  chmodSync(path, SOCKET_MODE);
}

/** A gateway that was killed leaves its socket behind. @throws AppError `start.failed` when somebody answers there, or it is something else */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const isAnswered = await new Promise<boolean>((done) => {
    const socket = connect(path, () => done(true));
    socket.once("error", () => done(false));
    socket.once("connect", () => socket.destroy());
  });
  if (!found.isSocket() || isAnswered) {
    throw new AppError("start.failed", `DECISION_SOCKET ${path} is taken. Stop what uses it or set another path.`);
  }
  unlinkSync(path);
}
