import net from "node:net";

/** A wire that can be cut: stands between a part and its database. */
export type TcpProxy = {
  readonly port: number;
  /** Breaks every connection and refuses new ones. */
  cut(): void;
  /** Keeps connections open but passes nothing on: a network that swallows packets. */
  freeze(): void;
  restore(): void;
  close(): Promise<void>;
};

export async function openTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<net.Socket>();
  let mode: "open" | "cut" | "frozen" = "open";
  const server = net.createServer((near) => {
    if (mode === "cut") {
      near.destroy();
      return;
    }
    const far = net.connect(target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => {
        if (mode !== "frozen") to.write(chunk);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    cut() {
      mode = "cut";
      destroyAll();
    },
    freeze() {
      mode = "frozen";
    },
    restore() {
      if (mode === "frozen") destroyAll();
      mode = "open";
    },
    close: () =>
      new Promise((done) => {
        destroyAll();
        server.close(() => done());
      }),
  };
}
