import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { at } from "#tests/harness/api.ts";
import { makeCredentials } from "#tests/harness/build-tools.ts";
import { type System, startSystem } from "#tests/harness/system.ts";

const SERVICES_TOKEN = "services-token-0123456789abcdef01234";
const DEVICE = fileURLToPath(new URL("../../device/main.ts", import.meta.url));
let system: System;

beforeAll(async () => {
  system = await startSystem({ SERVICES_TOKEN }, ["services", "gateway"]);
}, 120_000);
afterAll(() => system?.drop(), 60_000);

it("a device makes itself known with the archive that all share, and reports its ECUs with what it got", {
  timeout: 60_000,
}, async () => {
  const folder = makeCredentials(system, "device", "--uses", "1", "--policy", "allowed", "--hardware", "rpi4");
  const run = (program: string, ...words: string[]) => execFileSync(program, words, { cwd: folder, encoding: "utf8" });
  const register = (deviceId: string, out: string) =>
    run(
      "curl",
      ..."-sS --cert-type P12 --cert autoprov_credentials.p12: --cacert server_ca.pem -w %{http_code}".split(" "),
      ...["-H", "content-type: application/json", "-d", JSON.stringify({ deviceId, ttl: "36000" }), "-o", out],
      `${readFileSync(join(folder, "autoprov.url"), "utf8").trim()}/devices`,
    );
  expect(register("brave-otter-7", "device.p12")).toBe("200");
  expect(register("brave-otter-8", "refused.json")).toBe("403");
  expect(readFileSync(join(folder, "refused.json"), "utf8")).toContain("provisioning_exhausted");

  const dir = mkdtempSync(join(tmpdir(), "gatehouse-provisioned-"));
  const credentials = join(dir, "brave-otter-7", "credentials");
  mkdirSync(credentials, { recursive: true });
  const read = (...what: string[]) => run("openssl", "pkcs12", "-in", "device.p12", "-passin", "pass:", ...what);
  const client = pemIn(read("-nokeys", "-clcerts"));
  writeFileSync(join(credentials, "client.pem"), client);
  writeFileSync(join(credentials, "pkey.pem"), pemIn(read("-nocerts", "-nodes")));
  writeFileSync(join(credentials, "root.crt"), pemIn(read("-nokeys", "-cacerts")));
  cpSync(join(folder, "autoprov.url"), join(credentials, "gateway.url"));
  const profile = { hardware: "rpi4", secondaries: 1, pending: false };
  writeFileSync(join(dir, "brave-otter-7", "profile.json"), JSON.stringify(profile));
  const words = ["--once", "--hardware", "rpi4", "--secondaries", "1", "--dir", dir];
  execFileSync(process.execPath, [DEVICE, ...words], { env: { ...process.env, ...system.env }, stdio: "pipe" });

  const uuid = parseCertificate(client).subjectCn;
  const known = await askServices(`/api/v1/devices/${uuid}`);
  expect(known).toMatchObject({ deviceId: "brave-otter-7" });
  const ecus = await askServices(`/api/v1/admin/devices/${uuid}`);
  expect(Array.isArray(ecus) && ecus.map((ecu) => at(ecu, "primary")).sort()).toEqual([false, true]);
});

async function askServices(path: string): Promise<unknown> {
  const reply = await fetch(`http://127.0.0.1:${system.servicesPort}${path}`, {
    headers: { authorization: `Bearer ${SERVICES_TOKEN}` },
  });
  return reply.json();
}

/** Without the lines that openssl puts before it. */
function pemIn(text: string): string {
  return text.slice(text.indexOf("-----BEGIN"));
}
