import { createServer, type Server } from "node:net";
import { expect, test } from "@playwright/test";
import { type Api, at } from "#tests/harness/api.ts";
import { freePort } from "#tests/harness/free-port.ts";
import type { System } from "#tests/harness/system.ts";
import { openTcpProxy, type TcpProxy } from "#tests/harness/tcp-proxy.ts";
import { adminApi, signIn, startOwnSystem } from "./support/install.ts";

let system: System;
let api: Api;
/** Between browser and console: a wire that can be cut. */
let wire: TcpProxy;
let address: string;

test.beforeAll(async () => {
  test.setTimeout(300_000);
  const port = await freePort();
  wire = await openTcpProxy({ host: "127.0.0.1", port });
  address = `http://localhost:${wire.port}`;
  system = await startOwnSystem({ PORT: String(port), PUBLIC_URL: address });
  ({ api } = await adminApi(system));
  for (const name of ["first-device", "second-device"])
    expect((await api.post("/api/v1/devices/issue", { name, hardwareId: "rpi4" })).status).toBe(201);
});

test.afterAll(async () => {
  await wire?.close();
  await system?.drop();
});

test("with the services dead, one panel names the back ends and everything else works", async ({ page }) => {
  test.setTimeout(180_000);
  await signIn(page, address, "admin");
  const grave = await killServices();
  try {
    await page.goto(`${address}/overview`);
    const panel = page
      .getByRole("region", { name: "Back ends" })
      .or(page.locator("section, div").filter({ hasText: /^Back ends/ }));
    await expect(panel.getByText("down").first()).toBeVisible({ timeout: 60_000 });
    await expect(page.getByText("first steps", { exact: false }).first()).toBeVisible();
    for (const place of ["devices", "trust", "images", "updates", "access", "audit"]) {
      await page.goto(`${address}/${place}`);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByRole("alert").filter({ hasText: /\S/ })).toHaveCount(0);
    }
    await page.goto(`${address}/devices`);
    await expect(page.getByRole("row").filter({ hasText: "first-device" })).toBeVisible();
  } finally {
    await new Promise((resolve) => grave.close(resolve));
  }
  await page.goto(`${address}/overview`);
  await expect(async () => {
    await page.reload();
    await expect(page.getByText("Nothing waits for a decision", { exact: false })).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 90_000 });
});

test("when the event stream breaks the badge says so, then the page catches up by itself", async ({ page }) => {
  test.setTimeout(180_000);
  await signIn(page, address, "admin");
  await page.getByRole("link", { name: "Devices" }).first().click();
  await expect(page.getByRole("row").filter({ hasText: "second-device" })).toBeVisible();
  const badge = page.getByRole("banner").getByRole("status");
  await expect(badge).toContainText("Live", { timeout: 30_000 });
  wire.cut();
  await expect(badge).toContainText("Reconnecting", { timeout: 60_000 });
  const uuid = at((await api.get("/api/v1/devices?q=second-device")).body, "data.0.uuid");
  const renamed = await api.patch(`/api/v1/devices/${uuid}`, { name: "renamed-meanwhile" });
  expect(renamed.status).toBe(200);
  wire.restore();
  await expect(badge).toContainText("Live", { timeout: 60_000 });
  await expect(page.getByRole("row").filter({ hasText: "renamed-meanwhile" })).toBeVisible({ timeout: 30_000 });
});

test("the browser keeps nothing about the fleet", async ({ page, context }) => {
  await signIn(page, address, "admin");
  for (const place of ["devices", "trust", "images", "updates", "access", "audit"]) {
    await page.goto(`${address}/${place}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
  const kept = await page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    databases: (await indexedDB.databases()).map(({ name }) => name),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  }));
  expect(kept.databases).toEqual([]);
  expect(kept.caches).toEqual([]);
  expect(kept.workers).toBe(0);
  expect(JSON.stringify([kept.local, kept.session])).not.toMatch(/device|rpi4|example\.org/i);
  for (const { name, httpOnly, sameSite } of await context.cookies()) {
    if (!name.includes("session")) continue;
    expect(httpOnly).toBe(true);
    expect(sameSite).not.toBe("None");
  }
});

test("tokens are in no address, no page and no log", async ({ page, context }) => {
  const addresses: string[] = [];
  page.on("request", (request) => addresses.push(request.url()));
  await signIn(page, address, "admin");
  await page.goto(`${address}/access/tokens`);
  await page.getByRole("button", { name: "New token" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("leak-check");
  const replied = page.waitForResponse((reply) => reply.url().endsWith("/api/v1/tokens") && reply.status() === 201);
  await dialog.getByRole("button", { name: "Create the token" }).click();
  const token = String(at(await (await replied).json(), "token"));
  await expect(dialog.getByLabel("The token")).toHaveValue(token);
  expect(
    (await page.request.get(`${address}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } })).status(),
  ).toBe(200);
  await page.reload();
  await expect(page.getByText("leak-check")).toBeVisible();
  const session = (await context.cookies()).find(({ name }) => name.includes("session"))?.value ?? "";
  expect(session.length).toBeGreaterThan(20);
  const html = await page.content();
  for (const secret of [token, session]) {
    expect(html.includes(secret), "in the page").toBe(false);
    expect(system.output().includes(secret), "in the log").toBe(false);
    expect(
      addresses.some((one) => one.includes(secret)),
      "in an address",
    ).toBe(false);
  }
});

test("every page has a content security policy with a fresh nonce, the missing ones too", async ({ page }) => {
  const violations: string[] = [];
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) violations.push(message.text());
  });
  const nonces = new Set<string>();
  let pages = 0;
  const visit = async (path: string) => {
    const response = await page.goto(`${address}${path}`);
    const policy = response?.headers()["content-security-policy"] ?? "";
    expect(policy, path).toMatch(/default-src 'none'; script-src 'nonce-[\w+/=]+' 'strict-dynamic'/);
    expect(policy).not.toMatch(/unsafe-eval|script-src[^;]*unsafe-inline/);
    nonces.add(/nonce-([^']+)/.exec(policy)?.[1] ?? "");
    pages += 1;
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  };
  for (const path of ["/sign-in", "/setup"]) await visit(path);
  await signIn(page, address, "admin");
  for (const path of [
    "/overview",
    "/devices",
    "/updates/new",
    "/no-such-page",
    "/devices/00000000-0000-4000-8000-000000000000",
  ])
    await visit(path);
  expect(nonces.size).toBe(pages);
  expect(violations).toEqual([]);
});

/** Ends the services and sits on their port, so that they cannot come back before the returned server is closed. */
async function killServices(): Promise<Server> {
  system.kill9("services");
  const grave = createServer((socket) => socket.destroy());
  await expect.poll(() => listens(grave, system.servicesPort), { timeout: 20_000, intervals: [5] }).toBe(true);
  return grave;
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (listening: boolean) => {
      server.removeAllListeners("error").removeAllListeners("listening");
      resolve(listening);
    };
    server.once("error", () => settle(false));
    server.once("listening", () => settle(true));
    server.listen(port, "127.0.0.1");
  });
}
