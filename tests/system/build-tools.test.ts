import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Signer } from "#lib/uptane/keys.ts";
import { pushRepository } from "#tests/garage-push/push.ts";
import { openRepository } from "#tests/garage-sign/client.ts";
import {
  caOf,
  createLargeRepository,
  issueDevice,
  type LargeRepository,
  listedFor,
  makeCredentials,
  pullAndCheck,
  targetsKeyIn,
  tokenOfNewClient,
} from "#tests/harness/build-tools.ts";
import { startNginx } from "#tests/harness/nginx.ts";
import { ostree } from "#tests/harness/ostree.ts";
import { startTestStorage, type TestStorage } from "#tests/harness/s3.ts";
import { type System, startSystem } from "#tests/harness/system.ts";

const OBJECTS = 2_000;
const WITHIN_MS = 120_000;
const SECRETS = {
  DECISION_SECRET: "decision-secret-0123456789abcdef0123",
  SERVICES_TOKEN: "services-token-0123456789abcdef01234",
};

let storage: TestStorage;
let large: LargeRepository;

beforeAll(async () => {
  storage = await startTestStorage();
  large = createLargeRepository(OBJECTS);
});
afterAll(async () => {
  large?.drop();
  await storage?.close();
});

describe.each(["a folder", "object storage"])("an install that keeps objects in %s", (kept) => {
  let system: System;
  let device: string;
  let signer: Signer;

  beforeAll(async () => {
    const settings = { ...SECRETS, TRUSTED_PROXIES: "127.0.0.1/32" };
    system = await startSystem(kept === "a folder" ? settings : { ...settings, ...placeIn(storage) }, [
      "services",
      "gateway",
    ]);
    device = issueDevice(system, "Truck 1");
    signer = targetsKeyIn(makeCredentials(system, "build", "--with-targets-key"));
  }, WITHIN_MS);
  afterAll(() => system?.drop(), WITHIN_MS);

  /** Pushes and signs as garage-push and garage-sign do, with a token of a new client, and pulls with the real ostree as the device. */
  async function pushAndPull(
    { repository, commit }: LargeRepository,
    at: { toolsUrl: string; ca: string },
  ): Promise<void> {
    const headers = await tokenOfNewClient(system, at, ["treehub:push", "repo:write"]);
    const push = () =>
      pushRepository({
        repo: repository.path,
        baseUrl: `${at.toolsUrl}/treehub/api/v3/`,
        headers,
        tls: { ca: at.ca },
      });
    const first = await push();
    expect(first).toMatchObject({ commit, refusedAsPresent: 0 });
    expect(first.uploaded).toBeGreaterThanOrEqual(OBJECTS);
    expect(await push()).toEqual({ commit, uploaded: 0, present: 1, refusedAsPresent: 0 });
    const tool = openRepository({ repoUrl: `${at.toolsUrl}/repo`, headers: () => headers, tls: { ca: at.ca } });
    await tool.rootPull();
    await tool.targetsPull();
    const target = { name: "os", version: commit, hardwareIds: ["rpi4"], sha256: commit, length: 0 };
    const filename = tool.targetsAdd({ ...target, format: "OSTREE" });
    tool.targetsSign([signer]);
    await tool.targetsPush();
    expect(await listedFor(system, device)).toContain(filename);
    const pulled = await pullAndCheck({ url: `${system.door.url}/treehub`, commit, device });
    expect(pulled).toBe(ostree(`--repo=${repository.path}`, "ls", "-R", commit));
  }

  it("takes 2,000 objects and their image from the tools door, and a device finds it and pulls them whole", {
    timeout: WITHIN_MS,
  }, async () => {
    await pushAndPull(large, { toolsUrl: system.toolsUrl, ca: caOf(device) });
  });

  it.runIf(kept === "a folder")(
    "takes the same of others from nginx, which asks the gateway about each request",
    {
      timeout: WITHIN_MS,
    },
    async () => {
      const certificate = ownCertificate();
      const nginx = await startNginx({
        ...certificate,
        decisionPort: system.decisionPort,
        toolsPort: Number(new URL(system.toolsUrl).port),
        servicesPort: system.servicesPort,
        decisionSecret: SECRETS.DECISION_SECRET,
        servicesToken: SECRETS.SERVICES_TOKEN,
      });
      onTestFinished(() => nginx.close());
      const at = { toolsUrl: `https://localhost:${nginx.port}`, ca: certificate.chainPem };
      const others = createLargeRepository(OBJECTS);
      onTestFinished(others.drop);
      await pushAndPull(others, at);
    },
  );
});

function placeIn({ place }: TestStorage): Record<string, string> {
  return {
    S3_BUCKET: place.bucket,
    S3_ENDPOINT: place.endpoint ?? "",
    S3_REGION: place.region,
    S3_ACCESS_KEY_ID: place.accessKeyId,
    S3_SECRET_ACCESS_KEY: place.secretAccessKey,
    S3_FORCE_PATH_STYLE: "on",
    S3_PREFIX: place.prefix,
  };
}

/** A site's own certificate for its nginx. */
function ownCertificate(): { chainPem: string; privateKeyPem: string } {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-nginx-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "server.pem")];
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 30";
  const names = ["-addext", "subjectAltName=DNS:localhost"];
  execFileSync("openssl", [...words.split(" "), ...names, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  return { chainPem: readFileSync(certificate, "utf8"), privateKeyPem: readFileSync(key, "utf8") };
}
