import type { Server } from "node:net";
import { AppError } from "#lib/errors/app-error.ts";

/**
 * Binds a server.
 *
 * @returns the port, which differs from the asked one when that was 0
 * @throws AppError `start.failed` when the port is taken or the address is not ours
 */
export async function listenOn(server: Server, at: { host: string; port: number; setting: string }): Promise<number> {
  await new Promise<void>((done, fail) => {
    server.once("error", (cause) => {
      const code = "code" in cause ? cause.code : undefined;
      const where = `${at.host}:${at.port}`;
      const why =
        code === "EADDRINUSE"
          ? `${where} is taken. Stop what uses it or set ${at.setting} to another port.`
          : `${where} can't be bound (${String(code ?? cause.message)}). Check ${at.setting} and its host.`;
      fail(new AppError("start.failed", why, { cause }));
    });
    server.listen(at.port, at.host, done);
  });
  server.removeAllListeners("error");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : at.port;
}
