import { randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@playwright/test";
import { type Api, at, eventually } from "#tests/harness/api.ts";
import type { System } from "#tests/harness/system.ts";
import { createSoftwareCa } from "#tests/pki/software-ca.ts";
import { findCredentials, knock, runDevices } from "./devices.ts";

/** The registry's own address for groups, through the console. */
export const GROUPS = "/api/proxy/device-registry/api/v1/device_groups";

/** Something to look at on every screen: the ids that its addresses need. */
export type Sample = {
  readonly device: string;
  readonly failedDevice: string;
  readonly waiting: string;
  readonly revoked: string;
  readonly image: string;
  readonly update: string;
};

/**
 * A small fleet that went through the real door: devices that were updated, one whose installation failed, one that never came, some
 * that wait, one that was revoked. Its processes have ended when this returns, so that nothing moves while tests look.
 */
export async function populate(system: System, api: Api, dir: string): Promise<Sample> {
  const fleet = (name: string, ...options: string[]) => {
    mkdirSync(join(dir, name));
    return runDevices(system, join(dir, name), ...options);
  };
  const fleets = [
    fleet("good", "--count", "5", "--hardware", "raspberrypi4-64"),
    fleet("two", "--count", "2", "--hardware", "imx8mp-evk", "--secondaries", "1"),
    fleet("bad", "--count", "1", "--hardware", "am62-gateway", "--fail", "install"),
    fleet("waiting", "--count", "3", "--hardware", "raspberrypi4-64", "--pending"),
  ];
  try {
    await becomes(api, "/api/v1/devices?limit=200&status=up_to_date", 8);
    await becomes(api, "/api/v1/certificates?state=pending", 3);
    await give(api, "/api/v1/devices/issue", { name: "bench-7", hardwareId: "raspberrypi4-64" });
    await give(api, "/api/v1/provisioning-credentials", { description: "Line 4, spring batch", uses: 500 });
    await give(api, "/api/v1/enrolment-tokens", { description: "Bench 3", uses: 5, hardwareId: "am62-gateway" });
    await addExpected(api);
    const image = await uploadAll(api);
    const devices = rows(await api.get("/api/v1/devices?limit=200&sort=name"));
    const of = (hardware: string) => devices.filter((one) => String(at(one, "hardwareIds")).includes(hardware));
    const everybody = devices.map((one) => String(at(one, "uuid")));
    await give(api, "/api/v1/updates", {
      name: "am62 field test",
      targets: { "am62-gateway": { to: "am62-rootfs_1.4.2" } },
      devices: of("am62-gateway").map((one) => at(one, "uuid")),
    });
    const launched = await give(api, "/api/v1/updates", {
      name: "June security update",
      targets: { "raspberrypi4-64": { to: "rpi-rootfs_2.1.0" }, "imx8mp-evk": { to: "imx-rootfs_2.1.0" } },
      devices: everybody,
    });
    const update = String(at(launched, "id"));
    await eventually(
      async () => {
        const { body } = await api.get(`/api/v1/updates/${update}`);
        return at(body, "state") === "finished";
      },
      { withinSeconds: 120, what: "the sample update to finish" },
    );
    await becomes(api, "/api/v1/devices?status=failed", 1);
    const revoked = String(at(of("imx8mp-evk")[1], "certificate.fingerprint"));
    await give(api, `/api/v1/certificates/${revoked}/revoke`, { reason: "keyCompromise", note: "stolen from a lab" });
    await becomes(api, "/api/v1/refusals", 1);
    await addAgeing(system, api, dir);
    const pending = rows(await api.get("/api/v1/certificates?state=pending"));
    return {
      device: String(at(of("raspberrypi4-64")[0], "uuid")),
      failedDevice: String(at(of("am62-gateway")[0], "uuid")),
      waiting: String(at(pending[0], "fingerprint")),
      revoked,
      image,
      update,
    };
  } catch (error) {
    const said = fleets.map(({ output }) => output().slice(-2_000)).join("\n---\n");
    throw new Error(`the sample could not be made; the devices said:\n${said}`, { cause: error });
  } finally {
    await Promise.all(fleets.map(({ stop }) => stop()));
  }
}

/** Devices that are to come, and the group that they go into. */
async function addExpected(api: Api): Promise<void> {
  const groupId = await give(api, GROUPS, { name: "Line 4", groupType: "static", expression: null });
  await give(api, "/api/v1/enrolment-tokens", { description: "Line 4, week 27", uses: 20, groupId });
  await give(api, "/api/v1/allowlist", {
    kind: "fingerprint",
    value: randomBytes(32).toString("hex"),
    name: "Truck 9, brake controller",
    groupId,
    tags: { site: "Ulm", line: "4" },
  });
}

/** A device of an outside authority, whose certificate ends soon and has a key that is weaker than is good today. */
async function addAgeing(system: System, api: Api, dir: string): Promise<void> {
  const ca = await createSoftwareCa({ commonName: "Contract maker" });
  const authority = at(await give(api, "/api/v1/authorities/upload", { certificatePem: ca.pem }), "id");
  const code = at(await give(api, `/api/v1/authorities/${authority}/proof-code`, {}), "code");
  const proof = await ca.issue({ commonNames: [String(code)] });
  await give(api, `/api/v1/authorities/${authority}/proof`, { certificatePem: proof.pem });

  const leaf = await ca.issue({ key: "rsa2048", notAfter: new Date(Date.now() + 100 * 86_400_000) });
  const credentials = join(dir, "ageing");
  mkdirSync(credentials);
  copyFileSync(join(findCredentials(join(dir, "good")) ?? "", "root.crt"), join(credentials, "root.crt"));
  writeFileSync(join(credentials, "client.pem"), leaf.pem);
  writeFileSync(join(credentials, "pkey.pem"), leaf.privateKeyPem);
  expect(await knock(system, credentials)).toBe(403);
  await give(api, `/api/v1/certificates/${leaf.certificate.fingerprint}/approve`, {});
  expect(await knock(system, credentials)).toBe(200);
}

async function uploadAll(api: Api): Promise<string> {
  const images = [
    { name: "rpi-rootfs", version: "2.0.0", hardwareIds: "raspberrypi4-64" },
    { name: "am62-rootfs", version: "1.4.2", hardwareIds: "am62-gateway" },
    { name: "imx-rootfs", version: "2.1.0", hardwareIds: "imx8mp-evk,imx8mp-evk-secondary,imx8mm" },
    { name: "rpi-rootfs", version: "2.1.0", hardwareIds: "raspberrypi4-64" },
  ];
  for (const fields of images) {
    const { status, body } = await api.upload(fields, Uint8Array.from(randomBytes(400_000)));
    expect(status, JSON.stringify(body)).toBe(201);
  }
  return "rpi-rootfs_2.1.0";
}

async function give(api: Api, path: string, body: unknown): Promise<unknown> {
  const reply = await api.post(path, body);
  expect(reply.status, `${path}: ${JSON.stringify(reply.body)}`).toBeLessThan(300);
  return reply.body;
}

async function becomes(api: Api, path: string, count: number): Promise<void> {
  let last: unknown;
  await eventually(
    async () => {
      last = (await api.get(path)).body;
      return Number(at(last, "total")) >= count;
    },
    { withinSeconds: 120, what: () => `${count} at ${path}: ${JSON.stringify(last).slice(0, 500)}` },
  );
}

function rows(reply: { body: unknown }): unknown[] {
  const data = at(reply.body, "data");
  return Array.isArray(data) ? data : [];
}
