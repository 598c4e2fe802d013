import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that systems give to outgoing connections: none of those takes one before its program does. */
const FIRST = 20_000;
const LAST = 32_767;
const given = new Set<number>();

/** A port on which nobody listens, and that this process was not given before. */
export async function freePort(): Promise<number> {
  const port = randomInt(FIRST, LAST + 1);
  if (given.has(port)) return freePort();
  given.add(port);
  const server = createServer().listen(port);
  const isFree = await once(server, "listening").then(
    () => true,
    () => false,
  );
  if (!isFree) return freePort();
  server.close();
  await once(server, "close");
  return port;
}
