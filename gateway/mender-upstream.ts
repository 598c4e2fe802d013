import http from "node:http";
import https from "node:https";
import { readMenderCa } from "#lib/backends/mender.ts";
import type { Config } from "#lib/config/load.ts";

/** The Mender server as the door reaches it: kept-open connections, its own authority, its own Host. */
export type MenderUpstream = {
  readonly host: string;
  /** @param options.isUpgrade over a connection of its own */
  request(options: {
    method: string;
    path: string;
    headers: http.OutgoingHttpHeaders;
    isUpgrade?: boolean;
  }): http.ClientRequest;
  close(): void;
};

/** @returns null without MENDER_URL. @throws AppError `config.invalid` when MENDER_CA can't be read */
export function createMenderUpstream(config: Config): MenderUpstream | null {
  if (config.MENDER_URL === undefined) return null;
  const base = new URL(config.MENDER_URL);
  const transport = base.protocol === "https:" ? https : http;
  const ca = readMenderCa(config);
  const trust = ca === null ? {} : { ca };
  const agent = new transport.Agent({ keepAlive: true, maxFreeSockets: 64, ...trust });
  return {
    host: base.host,
    request: ({ method, path, headers, isUpgrade }) =>
      transport.request({
        ...trust,
        agent: isUpgrade === true ? false : agent,
        method,
        host: base.hostname.replace(/^\[|\]$/g, ""),
        ...(base.port === "" ? {} : { port: base.port }),
        path: `${base.pathname.replace(/\/$/, "")}${path}`,
        headers,
      }),
    close: () => agent.destroy(),
  };
}
