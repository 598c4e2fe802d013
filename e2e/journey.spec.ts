import { execFileSync } from "node:child_process";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type Locator, type Page, test } from "@playwright/test";
import { backEndsOf, type System, startSystem } from "#tests/harness/system.ts";
import { type Fleet, findCredentials, knock, openDoor, runDevices } from "./support/devices.ts";
import { keepScreen, renewReadmePicture } from "./support/pictures.ts";

const EMAIL = "mara@example.org";
const PASSWORD = "a long enough password";
const SOON = { timeout: 60_000 };

let system: System;
/** Whose services it uses, where they are not its own. */
let theirs: System | undefined;
let folder: string;
const fleets: Fleet[] = [];

test.beforeAll(async () => {
  test.setTimeout(500_000);
  folder = mkdtempSync(join(tmpdir(), "gatehouse-journey-"));
  if (test.info().project.metadata.backEnds === "another install") theirs = await startSystem();
  system = await startSystem(theirs === undefined ? {} : backEndsOf(theirs));
});

test.afterAll(async () => {
  await Promise.all(fleets.map((fleet) => fleet.stop()));
  await system?.drop();
  await theirs?.drop();
  rmSync(folder, { recursive: true, force: true });
});

test("a fresh install lets devices in, updates them with proof, and cuts one off", async ({ page }) => {
  test.setTimeout(480_000);
  await test.step("set-up: the one-time link makes the first admin", () => setUp(page));
  await test.step("issue: credentials are downloaded once and let a device in", () => issue(page));
  const outside = await test.step("a device of an outside certificate waits until it is approved", () => approve(page));
  const image = await test.step("an image is uploaded and verified", () => upload(page));
  await test.step("preview, launch, installing, updated with evidence", () => update(page, image));
  await test.step("revoked: refused within a second, on the open connection too", () => revoke(page, outside));
  await test.step("the audit log tells the story", () => readAudit(page));
});

async function setUp(page: Page): Promise<void> {
  const link = system.setupLink();
  if (link === null) throw new Error("no set-up link was printed");
  await page.goto(link);
  await page.getByLabel("Your name").fill("Mara Lind");
  await page.getByLabel("E-mail").fill(EMAIL);
  await page.getByLabel("Password").fill(PASSWORD);
  await renewReadmePicture(page, "setup");
  await page.getByRole("button", { name: "Create the admin and sign in" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible(SOON);
  await keepScreen(page, "journey-1-first-overview");

  // Spent: it makes no second admin.
  const again = await page.request.post(`${system.consoleUrl}/api/v1/setup`, {
    data: {
      token: link.split("#")[1]?.replace("token=", ""),
      email: "eve@example.org",
      name: "Eve",
      password: PASSWORD,
    },
    headers: { origin: system.consoleUrl },
  });
  expect(again.status()).toBeGreaterThanOrEqual(400);
}

async function issue(page: Page): Promise<void> {
  await goTo(page, "Devices");
  await page.getByRole("button", { name: "Connect a device" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("bench-1");
  await dialog.getByLabel("Hardware id").fill("rpi4");
  await dialog.getByRole("button", { name: "Issue credentials" }).click();
  await expect(dialog.getByRole("heading", { name: "Credentials of bench-1" })).toBeVisible();
  const downloading = page.waitForEvent("download");
  await dialog.getByRole("button", { name: "Download all" }).first().click();
  const archive = join(folder, "bench-1.tar");
  await (await downloading).saveAs(archive);
  await dialog.getByRole("button", { name: "Done" }).click();
  await expect(dialog).toBeHidden();
  await page.getByRole("button", { name: "Connect a device" }).first().click();
  await expect(dialog.getByLabel("Name")).toHaveValue("");
  await dialog.getByRole("button", { name: "Close" }).click();

  const devices = join(folder, "issued");
  mkdirSync(join(devices, "bench-1"), { recursive: true });
  execFileSync("tar", ["-xf", archive, "-C", folder]);
  renameSync(join(folder, "bench-1"), join(devices, "bench-1", "credentials"));
  const profile = { hardware: "rpi4", secondaries: 0, pending: false };
  writeFileSync(join(devices, "bench-1", "profile.json"), JSON.stringify(profile));
  fleets.push(runDevices(system, devices, "--hardware", "rpi4"));
  // Nothing is reloaded: the row follows by itself.
  await expect(row(page, "bench-1")).toContainText("Up to date", SOON);
}

/** @returns the credentials folder of the device that came in */
async function approve(page: Page): Promise<string> {
  const dir = join(folder, "outside");
  mkdirSync(dir);
  await goTo(page, "Trust");
  await expect(page.getByText("Nobody waits")).toBeVisible();
  fleets.push(runDevices(system, dir, "--hardware", "rpi4", "--pending"));
  const waiting = page.getByRole("table", { name: "Waiting certificates" }).getByRole("row").nth(1);
  await expect(waiting.getByRole("button", { name: "Approve…" })).toBeVisible(SOON);
  await renewReadmePicture(page, "trust");
  await keepScreen(page, "journey-2-waiting");
  const credentials = findCredentials(dir);
  if (credentials === null) throw new Error("the device has no credentials");
  expect(await knock(system, credentials)).toBe(403);

  await waiting.getByRole("button", { name: "Approve…" }).click();
  const dialog = page.getByRole("dialog");
  const { fingerprint256 } = new X509Certificate(readFileSync(join(credentials, "client.pem")));
  await dialog.getByLabel("Fingerprint you expect").fill(fingerprint256.replace(/^../, "00"));
  await expect(dialog.getByRole("button", { name: "Approve this device" })).toBeDisabled();
  await dialog.getByLabel("Fingerprint you expect").fill(fingerprint256);
  await expect(dialog.getByText("The same, all 64 digits.")).toBeVisible();
  await keepScreen(page, "journey-3-approve");
  const answered = page.waitForResponse((response) => response.url().endsWith("/approve-many"));
  await dialog.getByRole("button", { name: "Approve this device" }).click();
  expect((await answered).status()).toBe(200);
  await expect.poll(() => knock(system, credentials), { timeout: 1_000, intervals: [50] }).toBe(200);
  await expect(page.getByText("Nobody waits")).toBeVisible();
  await goTo(page, "Devices");
  await expect(row(page, nameOf(credentials))).toContainText("Up to date", SOON);
  return credentials;
}

async function upload(page: Page): Promise<{ filename: string; sha256: string }> {
  const bytes = randomBytes(24_000_000);
  const file = join(folder, "rootfs.img");
  writeFileSync(file, bytes);
  await goTo(page, "Images");
  await page.getByRole("button", { name: "Upload" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("rootfs");
  await dialog.getByLabel("Version").fill("2.1.0");
  await dialog.getByLabel("Hardware ids").fill("rpi4");
  await dialog.getByLabel("File").setInputFiles(file);
  await dialog.getByRole("button", { name: /^Upload \d/ }).click();
  await expect(dialog.getByRole("progressbar", { name: "Upload" })).toBeVisible();
  await expect(page.getByRole("heading", { level: 1, name: "rootfs 2.1.0" })).toBeVisible(SOON);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await expect(page.getByRole("button", { name: `Copy digest ${sha256.slice(0, 4)}` })).toBeVisible();
  for (const check of ["Root of trust", "Signature", "Length", "Digest"])
    await expect(page.getByRole("listitem").filter({ hasText: `${check}: checked` })).toBeVisible(SOON);
  await keepScreen(page, "journey-4-image");
  return { filename: "rootfs_2.1.0", sha256 };
}

async function update(page: Page, image: { filename: string; sha256: string }): Promise<void> {
  await page.getByRole("button", { name: "Update devices…" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "New update" })).toBeVisible();
  await expect(page.getByLabel("To", { exact: true })).toHaveValue(image.filename);
  await page.getByRole("button", { name: /^Choose all/ }).click();
  await expect(page.getByText("2 of 2 devices will be updated.")).toBeVisible();
  await keepScreen(page, "journey-5-preview");
  await page.getByRole("button", { name: "Update 2 devices" }).click();
  await expect(page.getByRole("heading", { level: 1, name: image.filename })).toBeVisible();
  const devices = page.getByRole("table", { name: "Devices of this update" });
  await expect(devices.getByText("Installing").first()).toBeVisible(SOON);
  await renewReadmePicture(page, "update");
  await keepScreen(page, "journey-6-installing");
  await expect(devices.getByText("Updated", { exact: true })).toHaveCount(2, SOON);
  await expect(page.getByText("Finished", { exact: true })).toBeVisible(SOON);

  await page.getByRole("button", { name: "Evidence of bench-1" }).click();
  const dialog = page.getByRole("dialog");
  const downloading = page.waitForEvent("download");
  await dialog.getByRole("link", { name: /signed manifest/ }).click();
  const manifest = readFileSync(await (await downloading).path());
  const digest = createHash("sha256").update(manifest).digest("hex");
  await expect(dialog.getByRole("button", { name: /SHA-256 of the manifest/ })).toContainText(digest.slice(0, 4));
  expect(manifest.toString()).toContain(image.sha256);
  await keepScreen(page, "journey-7-evidence");
  await dialog.getByRole("button", { name: "Close" }).click();
}

async function revoke(page: Page, credentials: string): Promise<void> {
  const kept = await openDoor(system, credentials);
  expect(await kept.get("/director/1.root.json")).toBe(200);
  await page.getByRole("link", { name: nameOf(credentials) }).click();
  await page.getByRole("link", { name: "Certificate", exact: true }).click();
  await page.getByRole("button", { name: "Revoke…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").selectOption("keyCompromise");
  await dialog.getByLabel("Note").fill("its key was found on a forum");
  expect(await kept.get("/director/1.root.json")).toBe(200);
  const answered = page.waitForResponse((response) => response.url().endsWith("/revoke-many"));
  await dialog.getByRole("button", { name: "Revoke 1 certificate" }).click();
  expect((await answered).status()).toBe(200);
  const revokedAt = performance.now();
  await expect.poll(() => knock(system, credentials), { timeout: 1_000, intervals: [50] }).toBe(403);
  await expect.poll(() => kept.closedAt(), { timeout: 1_000, intervals: [50] }).not.toBeNull();
  expect((kept.closedAt() ?? Number.POSITIVE_INFINITY) - revokedAt).toBeLessThan(1_000);
  await expect(page.getByText("Revoked").first()).toBeVisible();
  await keepScreen(page, "journey-8-revoked");
  await goTo(page, "Trust");
  await page.getByRole("link", { name: /^Refused/ }).click();
  await expect(
    page
      .getByRole("row")
      .filter({ hasText: nameOf(credentials) })
      .first(),
  ).toBeVisible(SOON);
  await keepScreen(page, "journey-9-refused");
}

async function readAudit(page: Page): Promise<void> {
  await goTo(page, "Audit");
  for (const deed of [
    "Mara Lind set up this install",
    "Mara Lind issued credentials to bench-1",
    "Mara Lind approved the certificate of",
    "Mara Lind uploaded the image rootfs_2.1.0",
    "Mara Lind launched the update rootfs_2.1.0",
    "Mara Lind revoked the certificate of",
  ])
    await expect(page.getByRole("row").filter({ hasText: deed }).first()).toBeVisible();
  await keepScreen(page, "journey-10-audit");
  expect(system.cli("audit", "verify")).toMatch(/intact/i);
}

async function goTo(page: Page, place: string): Promise<void> {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: place }).click();
  await expect(page.getByRole("heading", { level: 1, name: place })).toBeVisible();
}

function row(page: Page, name: string): Locator {
  return page.getByRole("row").filter({ hasText: name });
}

/** Until somebody renames it, a device that was let in is called by its certificate's common name. */
function nameOf(credentials: string): string {
  const { subject } = new X509Certificate(readFileSync(join(credentials, "client.pem")));
  return /^CN=(.+)$/m.exec(subject)?.[1] ?? "";
}
