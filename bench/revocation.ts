/**
 * `npm run bench -- revocation`: how long after "Revoke" a certificate is refused at every gateway, while other devices poll. Two gateway
 * processes; a try counts until both have refused or cut the device that keeps asking them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import { revokeCertificate } from "#services/identity/service.ts";
import { type BenchDevice, type Gateway, openGateways } from "./gateways.ts";
import type { Order, Report } from "./load.ts";
import { runLoad } from "./load-processes.ts";
import { describeMachine } from "./machine.ts";

const TRIES = 200;
const GATEWAYS = 2;
const POLLING = 64;
const POLL_PAUSE_MS = 100;
const GOAL_P99_MS = 1_000;
const PATH = "/campaigner/campaigns";
const LOAD_SECONDS = 10;

console.log(describeMachine());
const install = await openGateways();
try {
  const gateways = await install.start(GATEWAYS);
  const rootPem = await install.rootPem();
  const devices = await install.issue(TRIES);
  const ports = gateways.map(({ doorPort }) => doorPort);
  const load = keepPolling({ ports, devices: await install.issue(POLLING), rootPem });
  await sleep(1_000);
  const delays: number[] = [];
  for (const device of devices) delays.push(await measure(device, gateways, rootPem));
  const { done, failed, seconds } = await load.stop();
  print(delays, `${(done / seconds).toFixed(0)} requests a second from ${POLLING} devices, ${failed} failed`);
} finally {
  await install.drop();
}

/** Known devices that poll over kept-open connections, again and again until it is stopped. */
function keepPolling(who: Pick<Order, "ports" | "devices" | "rootPem">): { stop(): Promise<Report> } {
  let isStopped = false;
  const order = { ...who, path: PATH, connections: POLLING, isNewEachTime: false, pauseMs: POLL_PAUSE_MS };
  const running = (async () => {
    const sum = { done: 0, failed: 0, seconds: 0 };
    while (!isStopped) {
      const report = await runLoad({ ...order, seconds: LOAD_SECONDS }, 1);
      sum.done += report.done;
      sum.failed += report.failed;
      sum.seconds += report.seconds;
    }
    return sum;
  })();
  return {
    stop() {
      isStopped = true;
      return running;
    },
  };
}

/** @returns milliseconds from the order to revoke until the last gateway refused; the order's own time is in it */
async function measure(device: BenchDevice, gateways: readonly Gateway[], rootPem: string): Promise<number> {
  const visits = await Promise.all(gateways.map(({ doorPort }) => keepAsking(device, doorPort, rootPem)));
  const from = performance.now();
  await revokeCertificate(install.ctx, install.actor, { fingerprint: device.fingerprint, reason: "keyCompromise" });
  const ends = await Promise.all(visits.map(({ ended }) => ended));
  const delay = Math.max(...ends) - from;
  for (const { doorPort } of gateways) {
    const again = await keepAsking(device, doorPort, rootPem).then(
      () => "let in",
      () => "refused",
    );
    if (again !== "refused") throw new Error("a revoked certificate came in again");
  }
  return delay;
}

/** Resolves once the device was let in; `ended` is when it no longer is. @throws when it is not let in at all */
function keepAsking(device: BenchDevice, port: number, rootPem: string): Promise<{ ended: Promise<number> }> {
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    servername: "localhost",
    ca: rootPem,
    cert: device.pem,
    key: device.privateKeyPem,
  });
  const ask = () => void socket.write(`GET ${PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return new Promise((done, fail) => {
    const ended = new Promise<number>((end) => {
      socket.on("secureConnect", ask);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        end(performance.now());
        fail(new Error("not let in"));
      });
      socket.on("data", (chunk: Buffer) => {
        if (chunk.toString("latin1").startsWith("HTTP/1.1 200")) {
          done({ ended });
          setTimeout(ask, 2);
        } else socket.destroy();
      });
    });
  });
}

function print(delays: readonly number[], load: string): void {
  const sorted = delays.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  console.log(`revoked, then refused at each of ${GATEWAYS} gateways, ${sorted.length} tries, under ${load}`);
  for (const [name, share] of [
    ["p50", 0.5],
    ["p90", 0.9],
    ["p99", 0.99],
    ["max", 1],
  ] as const) {
    console.log(`  ${name} ${at(share).toFixed(0)} ms`);
  }
  console.log(`  goal: p99 of at most ${GOAL_P99_MS} ms, ${at(0.99) <= GOAL_P99_MS ? "reached" : "missed"}`);
}
