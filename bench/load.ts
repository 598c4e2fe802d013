/** A process that visits doors as devices do, and counts. Its one argument is a file with an Order; it prints a Report. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";

export type Order = {
  readonly ports: readonly number[];
  readonly devices: readonly { readonly pem: string; readonly privateKeyPem: string }[];
  readonly rootPem: string;
  readonly path: string;
  /** How many devices are at it at once. */
  readonly connections: number;
  /** Every request over a connection of its own, or all over one. */
  readonly isNewEachTime: boolean;
  readonly pauseMs: number;
  readonly seconds: number;
};
export type Report = { readonly done: number; readonly failed: number; readonly seconds: number };

const order = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Order; // written by bench/load-processes.ts
const from = performance.now();
const end = from + order.seconds * 1_000;
const counted = { done: 0, failed: 0 };
await Promise.all(Array.from({ length: order.connections }, (_, index) => visitAgainAndAgain(index)));
const report: Report = { ...counted, seconds: (performance.now() - from) / 1_000 };
console.log(JSON.stringify(report));

async function visitAgainAndAgain(index: number): Promise<void> {
  const device = order.devices[index % order.devices.length];
  const options = {
    host: "127.0.0.1",
    port: order.ports[index % order.ports.length],
    servername: "localhost",
    secureContext: tls.createSecureContext({ ca: order.rootPem, cert: device?.pem, key: device?.privateKeyPem }),
  };
  while (performance.now() < end) {
    try {
      await visit(options);
    } catch {
      counted.failed += 1;
    }
  }
}

/** One connection, until the other side ends it or time is up. */
async function visit(options: tls.ConnectionOptions): Promise<void> {
  const socket = tls.connect(options);
  const closing = order.isNewEachTime ? "close" : "keep-alive";
  const request = `GET ${order.path} HTTP/1.1\r\nHost: localhost\r\nConnection: ${closing}\r\n\r\n`;
  await new Promise<void>((done, fail) => {
    let received = "";
    const ask = () => void socket.write(request);
    socket.setNoDelay(true);
    socket.on("secureConnect", ask);
    socket.on("error", fail);
    socket.on("close", () => done());
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      if (!isWhole(received)) return;
      if (received.startsWith("HTTP/1.1 200")) counted.done += 1;
      else counted.failed += 1;
      received = "";
      if (order.isNewEachTime || performance.now() >= end) socket.destroy();
      else if (order.pauseMs === 0) ask();
      else void sleep(order.pauseMs).then(() => (performance.now() >= end ? socket.destroy() : ask()));
    });
  });
}

function isWhole(received: string): boolean {
  const head = received.indexOf("\r\n\r\n");
  if (head === -1) return false;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(received)?.[1];
  return length === undefined ? received.endsWith("\r\n0\r\n\r\n") : received.length >= head + 4 + Number(length);
}
