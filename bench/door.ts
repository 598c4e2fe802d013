/**
 * `npm run bench -- door`: new handshakes and kept-open requests a second at our device door, beside Debian's nginx with
 * deploy/nginx/devices.conf (client certificates, and the same gateways asked about every request). As many gateways as cores for both,
 * nginx with as many workers, the same small upstream. The devices come from processes of their own on the same cores.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureAuthorities, loadDoorCertificate } from "#services/authorities/service.ts";
import { readHeaderMode } from "#services/header-mode/service.ts";
import { eventually } from "#tests/harness/eventually.ts";
import { freePort } from "#tests/harness/free-port.ts";
import { startDevicesNginx } from "#tests/harness/nginx.ts";
import { type Gateway, openGateways } from "./gateways.ts";
import { runLoad } from "./load-processes.ts";
import { describeMachine, processorSeconds } from "./machine.ts";

const CORES = cpus().length;
const DEVICES = 64;
const SECONDS = 8;
/** Ours and theirs in turns, so that what else the machine does meets both. */
const ROUNDS = 3;
const PATH = "/director/targets.json";
const GOALS = { requests: 1, handshakes: 0.6 } as const;

console.log(describeMachine());
const install = await openGateways();
const upstream = createServer((req, res) => {
  req.resume();
  res.writeHead(200, { "content-type": "application/json", "content-length": 2 }).end("{}");
});
try {
  const [upstreamPort, nginxPort, unused] = await Promise.all([freePort(), freePort(), freePort()]);
  await new Promise<void>((done) => upstream.listen(upstreamPort, "127.0.0.1", done));
  await ensureAuthorities(install.ctx);
  // The services stay where devices are made; the gateways take the small upstream for them.
  const settings = { SERVICES_PORT: `${upstreamPort}`, DECISION_PUBLIC_URL: `https://localhost:${nginxPort}` };
  const gateways = await install.start(CORES, settings);
  const nginx = await startDevicesNginx({
    ...(await loadDoorCertificate(install.ctx)),
    port: nginxPort,
    appPort: unused,
    decision: gateways.map(({ decisionPort }) => `127.0.0.1:${decisionPort}`).join("; server "),
    servicesPort: upstreamPort,
    protectedPort: unused,
    decisionSecret: install.decisionSecret,
    servicesToken: install.servicesToken,
    workers: "auto",
  });
  try {
    await compare(gateways, nginx);
  } finally {
    await nginx.close();
  }
} finally {
  upstream.close();
  upstream.closeAllConnections();
  await install.drop();
}

async function compare(gateways: readonly Gateway[], nginx: { port: number; pid: number }): Promise<void> {
  const doors = gateways.map(({ doorPort }) => doorPort);
  const order = {
    devices: await install.issue(DEVICES),
    rootPem: await install.rootPem(),
    path: PATH,
    connections: DEVICES / CORES,
    pauseMs: 0,
  };
  await eventually(async () => {
    if ((await readHeaderMode(install.ctx))?.state !== "on") throw new Error("header mode is not on");
  }, 60_000);
  for (const kind of ["requests", "handshakes"] as const) {
    const ours = newSum();
    const theirs = newSum();
    const at = { ...order, isNewEachTime: kind === "handshakes" };
    await runLoad({ ...at, ports: [...doors, nginx.port], seconds: 2 }, CORES);
    for (let round = 0; round < ROUNDS; round += 1) {
      await run(
        ours,
        { ...at, ports: doors },
        gateways.map(({ pid }) => pid),
      );
      await run(theirs, { ...at, ports: [nginx.port] }, [...gateways.map(({ pid }) => pid), ...workersOf(nginx.pid)]);
    }
    print(kind, ours, theirs);
  }
}

type Sum = { done: number; failed: number; seconds: number; processor: number };

function newSum(): Sum {
  return { done: 0, failed: 0, seconds: 0, processor: 0 };
}

async function run(
  sum: Sum,
  order: Omit<Parameters<typeof runLoad>[0], "seconds">,
  pids: readonly number[],
): Promise<void> {
  const used = () => pids.reduce((seconds, pid) => seconds + processorSeconds(pid), 0);
  const before = used();
  const { done, failed, seconds } = await runLoad({ ...order, seconds: SECONDS }, CORES);
  sum.processor += used() - before;
  sum.done += done;
  sum.failed += failed;
  sum.seconds += seconds;
  await sleep(200);
}

function workersOf(master: number): number[] {
  const parent = (pid: number) => Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[1]);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isChild(pid, master, parent));
}

/** A process may end while it is looked at. */
function isChild(pid: number, master: number, parent: (pid: number) => number): boolean {
  try {
    return parent(pid) === master;
  } catch {
    return false;
  }
}

function print(kind: keyof typeof GOALS, ours: Sum, theirs: Sum): void {
  const line = ({ done, failed, seconds, processor }: Sum) =>
    `${(done / seconds).toFixed(0)} a second, ${((processor * 1_000) / done).toFixed(2)} ms of processor each, ${failed} failed`;
  const ratio = ours.done / ours.seconds / (theirs.done / theirs.seconds);
  const perProcessor = theirs.processor / theirs.done / (ours.processor / ours.done);
  console.log(kind === "requests" ? "requests over kept-open connections" : "new handshakes, one request each");
  console.log(`  ${"device door".padEnd(22)} ${line(ours)}`);
  console.log(`  ${"nginx and auth_request".padEnd(22)} ${line(theirs)}`);
  console.log(
    `  ratio ${ratio.toFixed(2)}, by processor time ${perProcessor.toFixed(2)}; goal at least ${GOALS[kind].toFixed(1)}`,
  );
}
