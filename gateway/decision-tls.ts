import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import https, { type ServerOptions } from "node:https";
import type { Config } from "#lib/config/load.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { Log } from "#lib/log/log.ts";

const SETTINGS = { cert: "DECISION_TLS_CERT", key: "DECISION_TLS_KEY", ca: "DECISION_TLS_CLIENT_CA" } as const;
const ALWAYS = { requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.2" } as const;

type Part = keyof typeof SETTINGS;
type Paths = Readonly<Record<Part, string>>;
type Files = Readonly<Record<Part, Buffer>>;

/** A server that shows a certificate and asks for one, and takes renewed files into use without a restart. */
export type TlsServer = { readonly server: https.Server; refresh(): void };

/** @returns null without the settings of TLS. @throws AppError `config.invalid` for files that can't be used */
export function createTlsServer(
  config: Partial<Pick<Config, (typeof SETTINGS)[Part]>>,
  options: { bounds: ServerOptions; listener: RequestListener; log: Log },
): TlsServer | null {
  const { DECISION_TLS_CERT: cert, DECISION_TLS_KEY: key, DECISION_TLS_CLIENT_CA: ca } = config;
  if (cert === undefined || key === undefined || ca === undefined) return null;
  const paths: Paths = { cert, key, ca };
  let inUse = readAll(paths);
  const server = usable(() => https.createServer({ ...options.bounds, ...ALWAYS, ...inUse }, options.listener));
  return {
    server,
    refresh() {
      try {
        const found = readAll(paths);
        if (found.cert.equals(inUse.cert) && found.key.equals(inUse.key) && found.ca.equals(inUse.ca)) return;
        usable(() => server.setSecureContext({ ...ALWAYS, ...found }));
        inUse = found;
        options.log.info("the decision port uses renewed files of its TLS");
      } catch (err) {
        options.log.warn({ err }, "files of the decision port's TLS can't be used; those in use stay");
      }
    },
  };
}

function usable<T>(use: () => T): T {
  try {
    return use();
  } catch (cause) {
    const why =
      "DECISION_TLS_CERT, DECISION_TLS_KEY and DECISION_TLS_CLIENT_CA are not certificates and a key of theirs.";
    throw new AppError("config.invalid", why, { cause });
  }
}

function readAll({ cert, key, ca }: Paths): Files {
  return { cert: read("cert", cert), key: read("key", key), ca: read("ca", ca) };
}

function read(part: Part, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const why = `${SETTINGS[part]}: ${file} can't be read. Give its path and let this user read it.`;
    throw new AppError("config.invalid", why, { cause });
  }
}
