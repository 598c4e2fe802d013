import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { issueDevice } from "#tests/harness/build-tools.ts";
import { freePort } from "#tests/harness/free-port.ts";
import { createMenderClient, type MenderClient } from "#tests/harness/mender/client.ts";
import { type MenderDouble, startMenderDouble } from "#tests/harness/mender/server.ts";
import { USER } from "#tests/harness/mender/state.ts";
import type { System } from "#tests/harness/system.ts";
import { adminApi, signIn, startOwnSystem } from "./support/install.ts";
import { keepScreen } from "./support/pictures.ts";
import { expectAccessible, expectNoSidewaysScroll } from "./support/watch.ts";

/* In front of a Mender server: what the console says of devices that Debian's mender-client runs on. */

/** The worker reads the Mender server once a minute. */
const NEXT_READING = { timeout: 100_000 };

let double: MenderDouble;
let system: System;
let url: string;
const clients: MenderClient[] = [];

test.beforeAll(async () => {
  test.setTimeout(300_000);
  double = await startMenderDouble();
  const port = await freePort();
  url = `https://localhost:${port}`;
  system = await startOwnSystem({
    MENDER_URL: double.url,
    MENDER_DOOR_PORT: `${port}`,
    MENDER_USER: USER.email,
    MENDER_PASSWORD: USER.password,
  });
});

test.afterAll(async () => {
  for (const client of clients) client.drop();
  await system?.drop();
  await double?.close();
});

test("devices are found by their state at the Mender server, with what became of each", async ({ page }) => {
  test.setTimeout(300_000);
  await authenticate("board-1");
  const stolen = await authenticate("board-2");
  await signIn(page, system.consoleUrl, "admin");
  await page.goto(`${system.consoleUrl}/devices`);
  const rows = page.locator("tbody").getByRole("row");
  const facet = page.getByRole("group", { name: "Mender" });
  await expect(facet.getByLabel(/accepted/)).toBeVisible(NEXT_READING);
  await facet.getByLabel(/accepted/).check();
  await expect(rows).toHaveCount(2);

  const { api } = await adminApi(system);
  const given = { reason: "keyCompromise", note: "stolen van" };
  expect((await api.post(`/api/v1/certificates/${stolen}/revoke`, given)).status).toBe(200);
  await expect(rows).toHaveCount(1, NEXT_READING);
  await facet.getByLabel(/accepted/).uncheck();
  await facet.getByLabel(/rejected/).check();
  await expect(rows).toHaveCount(1);
  await expectAccessible(page, "the devices by their state at the Mender server");
  await keepScreen(page, "mender-devices");

  await rows.getByRole("link", { name: "board-2" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "board-2" })).toBeVisible();
  await expect(page.getByText("Revoked there too")).toBeVisible();
  await keepScreen(page, "mender-device");
  await page.getByRole("link", { name: "What was preauthorized" }).click();
  await expect(page.getByText("Only the device")).toBeVisible();
  await expect(rows).toHaveCount(2);
  await page.getByRole("button", { name: "Show all devices" }).click();
  await expect(rows).toHaveCount(3);
  await expectAccessible(page, "the Mender log");
  await keepScreen(page, "mender-log");
  await page.setViewportSize({ width: 390, height: 844 });
  await expectNoSidewaysScroll(page, "the Mender log");
  await keepScreen(page, "mender-log-390");
});

/** @returns the fingerprint that it came with */
async function authenticate(name: string): Promise<string> {
  const credentials = issueDevice(system, name);
  const client = createMenderClient({ credentials, url, mac: name });
  clients.push(client);
  expect(await client.bootstrap()).toMatchObject({ status: 0 });
  return parseCertificate(readFileSync(join(credentials, "client.pem"))).fingerprint;
}
