/**
 * `npm run bench -- build-tools`: how long our doors take for what build tools and devices do, beside plain programs that do the same. Needs
 * `ostree`, `openssl` and `nginx`; starts and removes an install of its own.
 */
import { randomBytes } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import https from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { pushRepository } from "#tests/garage-push/push.ts";
import { caOf, createLargeRepository, issueDevice, pull, send, tokenOfNewClient } from "#tests/harness/build-tools.ts";
import { type System, startSystem } from "#tests/harness/system.ts";
import { describeMachine, processorSeconds, watchMemory } from "./machine.ts";
import { startPlainServer } from "./plain-server.ts";

const OBJECTS = 2_000;
const IMAGE_MIB = 512;
const MIB = 1_048_576;

console.log(describeMachine());
const system = await startSystem({}, ["services", "gateway"]);
try {
  const device = issueDevice(system, "bench");
  const at = { toolsUrl: system.toolsUrl, ca: caOf(device) };
  const headers = await tokenOfNewClient(system, at, ["treehub:push", "repo:write"]);
  await benchRepository(system, { device, headers, ca: at.ca });
  await benchImage(system, { headers, ca: at.ca });
} finally {
  await system.drop();
}

type Client = { readonly headers: Readonly<Record<string, string>>; readonly ca: string };

/** The same client pushes to both, and the same ostree pulls from both. */
async function benchRepository(it: System, { device, headers, ca }: Client & { device: string }): Promise<void> {
  const { repository, commit, drop } = createLargeRepository(OBJECTS);
  const plain = await startPlainServer();
  const repo = repository.path;
  try {
    const ours = await measure(it, () =>
      pushRepository({ repo, baseUrl: `${it.toolsUrl}/treehub/api/v3/`, headers, tls: { ca } }),
    );
    await send(`${plain.url}/config`, { method: "PUT", ca: plain.caPem, body: readFileSync(join(repo, "config")) });
    const theirs = await measure(it, () =>
      pushRepository({ repo, baseUrl: plain.url, headers: {}, tls: { ca: plain.caPem }, method: "PUT" }),
    );
    const count = repository.objects().length;
    report(`push of ${count} objects, 30 at a time`, ours, { ...theirs, what: "nginx, plain files" });
    const ourPull = await measure(it, () => pullAndDrop({ url: `${it.door.url}/treehub`, commit, device }));
    const theirPull = await measure(it, () => pullAndDrop({ url: plain.url, commit, device, caPem: plain.caPem }));
    report(`ostree pull of ${count} objects`, ourPull, { ...theirPull, what: "nginx, plain files" });
  } finally {
    await plain.close();
    drop();
  }
}

/** Whether what was pulled is whole is shown by the tests. */
async function pullAndDrop(from: Parameters<typeof pull>[0]): Promise<void> {
  await rm(dirname(await pull(from)), { recursive: true });
}

async function benchImage(it: System, { headers, ca }: Client): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  const [file, copy] = [join(folder, "image"), join(folder, "copy")];
  const memory = watchMemory(it.pidOf("services"));
  try {
    await writeImage(file);
    const before = memory.now();
    memory.reset();
    const ours = await measure(it, () =>
      upload(file, `${it.toolsUrl}/repo/api/v1/user_repo/targets/bench-1?name=bench&version=1&hardwareIds=rpi4`, {
        headers,
        ca,
      }),
    );
    const peak = memory.peak();
    const theirs = await measure(it, () => copyDurably(file, copy));
    report(`upload of an image of ${IMAGE_MIB} MiB`, ours, { ...theirs, what: "copy of the file, with fsync" });
    console.log(`  services held ${mib(before)} before it and ${mib(peak)} at most`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function writeImage(path: string): Promise<void> {
  const file = await open(path, "w");
  const block = randomBytes(MIB);
  for (let index = 0; index < IMAGE_MIB; index += 1) {
    block.writeUInt32BE(index);
    await file.write(block);
  }
  await file.sync();
  await file.close();
}

async function copyDurably(from: string, to: string): Promise<void> {
  const file = await open(to, "w");
  await pipeline(createReadStream(from), file.createWriteStream({ flush: true }));
}

async function upload(path: string, url: string, { headers, ca }: Client): Promise<void> {
  const length = IMAGE_MIB * MIB;
  const req = https.request(url, {
    method: "PUT",
    ca,
    agent: false,
    headers: { ...headers, "content-type": "application/octet-stream", "content-length": length },
  });
  const status = new Promise<number | undefined>((resolve, reject) => {
    req.once("error", reject);
    req.once("response", (res) => {
      res.resume();
      resolve(res.statusCode);
    });
  });
  await pipeline(createReadStream(path), req);
  const answered = (await status) ?? 0;
  if (answered < 200 || answered > 299) throw new Error(`the upload was answered ${answered}`);
}

type Measured = {
  readonly seconds: number;
  readonly processor: { readonly services: number; readonly gateway: number };
};

async function measure(it: System, work: () => Promise<unknown>): Promise<Measured> {
  const used = () => ({
    services: processorSeconds(it.pidOf("services")),
    gateway: processorSeconds(it.pidOf("gateway")),
  });
  const before = used();
  const from = performance.now();
  await work();
  const seconds = (performance.now() - from) / 1_000;
  const after = used();
  return {
    seconds,
    processor: { services: after.services - before.services, gateway: after.gateway - before.gateway },
  };
}

function report(what: string, ours: Measured, plain: { readonly seconds: number; readonly what: string }): void {
  const { services, gateway } = ours.processor;
  console.log(what);
  console.log(
    `  ${"through our doors".padEnd(29)} ${ours.seconds.toFixed(2)} s (processor: services ${services.toFixed(1)} s, gateway ${gateway.toFixed(1)} s)`,
  );
  console.log(`  ${plain.what.padEnd(29)} ${plain.seconds.toFixed(2)} s`);
  console.log(`  ${"ratio".padEnd(29)} ${(ours.seconds / plain.seconds).toFixed(1)}`);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}
