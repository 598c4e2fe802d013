import { chmodSync, lstatSync, readFileSync, unlinkSync } from "node:fs";
import http, { type RequestListener } from "node:http";
import https from "node:https";
import { connect, type Server } from "node:net";
import type { Config } from "#lib/config/load.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { listenOn } from "./listen-on.ts";

export type DecisionWays = Pick<Config, "DECISION_HOST" | "DECISION_PORT"> &
  Partial<Pick<Config, "DECISION_SOCKET" | "DECISION_TLS_CERT" | "DECISION_TLS_KEY" | "DECISION_TLS_CLIENT_CA">>;

/** A certificate's PEM, URL-encoded, and what a browser would send beside it. */
const BOUNDS = { headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 128 * 1024 } as const;
const SOCKET_MODE = 0o660;

/**
 * Opens the ways on which proxies ask: the port, in clear text or with TLS and client certificates of DECISION_TLS_CLIENT_CA, and a Unix
 * socket that only its owner and group can use.
 *
 * @throws AppError `start.failed` (port or socket) | `config.invalid` (a file of the TLS settings)
 */
export async function openDecisionWays(
  ways: DecisionWays,
  listener: RequestListener,
): Promise<{ port: number; close(): Promise<void> }> {
  const { DECISION_SOCKET: path } = ways;
  const servers: (http.Server | https.Server)[] = [portServer(ways, listener)];
  const [first] = servers;
  if (first === undefined) throw new Error("there is always a port");
  const at = { host: ways.DECISION_HOST, port: ways.DECISION_PORT, setting: "DECISION_PORT" };
  const port = await listenOn(first, at);
  if (path !== undefined) {
    const server = http.createServer(BOUNDS, listener);
    await listenOnSocket(server, path);
    servers.push(server);
  }
  return {
    port,
    async close() {
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

function portServer(ways: DecisionWays, listener: RequestListener): http.Server | https.Server {
  const { DECISION_TLS_CERT, DECISION_TLS_KEY, DECISION_TLS_CLIENT_CA } = ways;
  if (DECISION_TLS_CERT === undefined || DECISION_TLS_KEY === undefined || DECISION_TLS_CLIENT_CA === undefined) {
    return http.createServer(BOUNDS, listener);
  }
  const files = {
    cert: readSetting("DECISION_TLS_CERT", DECISION_TLS_CERT),
    key: readSetting("DECISION_TLS_KEY", DECISION_TLS_KEY),
    ca: readSetting("DECISION_TLS_CLIENT_CA", DECISION_TLS_CLIENT_CA),
  };
  try {
    const options = {
      ...BOUNDS,
      ...files,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
    } as const;
    return https.createServer(options, listener);
  } catch (cause) {
    const why =
      "DECISION_TLS_CERT, DECISION_TLS_KEY and DECISION_TLS_CLIENT_CA are not certificates and a key of theirs.";
    throw new AppError("config.invalid", why, { cause });
  }
}

function readSetting(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new AppError(
      "config.invalid",
      `${setting}: ${file} can't be read. Give its path and let this user read it.`,
      {
        cause,
      },
    );
  }
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
