import { once } from "node:events";
import type { Server } from "node:http";

/** A server on a port of its own; closing it ends whoever is still connected. */
export type Listening = { readonly url: string; close(): Promise<void> };

export async function listenLocally(server: Server): Promise<Listening> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
