import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ensureAuthorities } from "#services/authorities/service.ts";
import { buildCredentials } from "#services/identity/service.ts";
import type { RecordingUpstream } from "#tests/harness/door.ts";
import { type DoorSite, openDoorSite } from "#tests/harness/door-site.ts";
import { actorOf, type IdentityWorld } from "#tests/harness/identity.ts";
import { openTestToolsDoor, type TestToolsDoor } from "#tests/harness/tools-door.ts";

/** A served root: two spaces where a printer would put none, so that a reprint shows. */
const ROOT = `{"signed":{"keys":{"k1":{"keytype":"ED25519",  "keyval":{"public":"${"ab".repeat(32)}"}}},"roles":{"targets":{"keyids":["k1"],"threshold":1}}},"signatures":[]}`;

let site: DoorSite;
let world: IdentityWorld;
let upstream: RecordingUpstream;
let tools: TestToolsDoor;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "gatehouse-build-"));
  site = await openDoorSite();
  ({ world, upstream } = site);
  await ensureAuthorities(world.ctx);
  upstream.answer = (_req, res) => res.writeHead(200, { "content-type": "application/json" }).end(ROOT);
  tools = await openTestToolsDoor(site.at);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await tools.close();
  await site.close();
});

/** The archive's files as text, in the folder too. */
async function build(offlineKeys: boolean) {
  const ctx = {
    ...world.ctx,
    config: { ...world.ctx.config, toolsUrl: tools.url },
    backends: { reposerver: { readMetadata: async () => Buffer.from(ROOT) } },
  };
  const wish = { name: "nightly", offlineKeys, withTargetsKey: false };
  const { archive } = await buildCredentials(ctx, actorOf("admin"), wish);
  const entries = Object.entries(unzipSync(Buffer.from(archive.archiveBase64, "base64")));
  const files = Object.fromEntries(entries.map(([name, content]) => [name, Buffer.from(content).toString("utf8")]));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const { oauth2, ostree } = JSON.parse(files["treehub.json"] ?? "");
  const ask = (scope: string) =>
    curl(
      ...["-u", `${oauth2.client_id}:${oauth2.client_secret}`],
      ...["-d", `grant_type=client_credentials&scope=${scope}`, oauth2.server],
    );
  const bearer = async () => `Authorization: Bearer ${JSON.parse(await ask(oauth2.scope)).access_token}`;
  return { files, treehubUrl: String(ostree.server), ask, bearer };
}

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("curl", ["-sS", "--fail", "--cacert", "server_ca.pem", ...args], {
    cwd: folder,
  });
  return stdout;
}

it("opens TreeHub and the image repository to curl with nothing but the archive's files", async () => {
  const { files, treehubUrl, bearer } = await build(false);
  const header = await bearer();
  expect(await curl("-H", header, `${files["tufrepo.url"]}/api/v1/user_repo/root.json`)).toBe(files["root.json"]);
  await curl("-H", header, `${treehubUrl}config`);
  expect(upstream.requests.map(({ url }) => url)).toEqual(["/api/v1/user_repo/root.json", "/api/v3/config"]);
});

it("lets nobody change keys, and with the right to do so serves garage-sign's director mode", async () => {
  const without = await build(false);
  await expect(without.ask("keys:offline")).rejects.toThrow("400");
  const { files, bearer } = await build(true);
  await curl("-H", await bearer(), `${files["api_gateway.url"]}/api/v1/director/admin/repo/root.json`);
  expect(upstream.requests.at(-1)?.url).toBe("/api/v1/admin/repo/root.json");
});
