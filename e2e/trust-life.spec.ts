import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Locator, type Page, test } from "@playwright/test";
import type { System } from "#tests/harness/system.ts";
import { type OpensslFolder, openssl } from "#tests/pki/openssl.ts";
import { type BareDevice, bareDevice } from "./support/bare-device.ts";
import { signIn, startOwnSystem } from "./support/install.ts";
import { keepScreen } from "./support/pictures.ts";

const SOON = { timeout: 30_000 };
/** The worker ends what was replaced once a minute. */
const NEXT_SWEEP = { timeout: 150_000 };
const AT_ONCE = { timeout: 1_000, intervals: [50] };

let system: System;
let files: OpensslFolder;
let device: BareDevice;

test.beforeAll(async () => {
  test.setTimeout(300_000);
  system = await startOwnSystem();
  files = openssl();
  device = await bareDevice(system, files);
  const ca = "-days 3650 -subj /CN=Works -addext keyUsage=critical,keyCertSign,cRLSign";
  files.run(`req -x509 -newkey rsa:3072 -nodes -keyout ca.key -out ca.pem ${ca}`);
});

test.afterAll(async () => {
  await system?.drop();
  files?.remove();
});

test("a device's certificate lives from its authority's proof to its own revocation", async ({ page }) => {
  test.setTimeout(400_000);
  await signIn(page, system.consoleUrl, "admin");
  await test.step("an authority is uploaded, and admits nobody before its proof", () => upload(page));
  await test.step("a device waits; the closed authority takes no other", () => wait(page));
  await test.step("approved: it comes in, and forecast and posture know it", () => approve(page));
  await test.step("it renews by EST, and the old certificate is superseded", () => renew(page));
  await test.step("revoked: the door, the list and OCSP agree", () => revoke(page));
  await test.step("forecast and posture agree", () => lookBack(page));
});

test("what was begun by mistake is taken back", async ({ page }) => {
  test.setTimeout(200_000);
  await signIn(page, system.consoleUrl, "admin");
  files.run("req -x509 -newkey rsa:3072 -nodes -keyout wrong.key -out wrong.pem -days 3650 -subj /CN=Wrong");
  await page.goto(`${system.consoleUrl}/trust/authorities`);
  await page.getByRole("button", { name: "Upload…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Certificate", { exact: true }).fill(files.read("wrong.pem"));
  await dialog.getByRole("button", { name: "Upload the authority" }).click();
  await page.getByRole("button", { name: "Delete…" }).click();
  await keepScreen(page, "dialog-authority-delete");
  await dialog.getByRole("button", { name: "Delete the authority" }).click();
  await expect(page).toHaveURL(/\/trust\/authorities$/);
  await expect(page.getByRole("link", { name: "Gatehouse fleet CA" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Wrong", exact: true })).toHaveCount(0);

  await page.goto(`${system.consoleUrl}/trust/authorities/server-ca`);
  await page.getByRole("button", { name: "Prepare the next…" }).click();
  await dialog.getByRole("button", { name: "Prepare it" }).click();
  await expect(page.getByRole("heading", { name: "Next" })).toBeVisible();
  await page.getByRole("button", { name: "Drop it…" }).click();
  await expect(dialog.getByText("No device that may come in was given it")).toBeVisible();
  await keepScreen(page, "dialog-server-ca-drop");
  await dialog.getByRole("button", { name: "Drop it" }).click();
  await expect(page.getByRole("heading", { name: "Next" })).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Prepare the next…" })).toBeVisible();
});

async function upload(page: Page): Promise<void> {
  issue("old", `/CN=${device.uuid}`);
  expect(await device.visit("old")).toBe(403);
  await page.goto(`${system.consoleUrl}/trust/authorities`);
  await page.getByRole("button", { name: "Upload…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Certificate", { exact: true }).fill(files.read("ca.pem"));
  await dialog.getByRole("button", { name: "Upload the authority" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Works" })).toBeVisible(SOON);
  await expect(page.getByText("It admits nobody yet")).toBeVisible();
  expect(await device.visit("old")).toBe(403);

  await page.getByRole("button", { name: "Get a code" }).click();
  await expect(codes(page, "Command")).toHaveCount(3);
  await keepScreen(page, "trust-life-1-proof");
  // Exactly what the page says.
  files.shell(await textsOf(codes(page, "Command"), "Command"));
  await page.getByLabel("What came out: proof.pem").fill(files.read("proof.pem"));
  await page.getByRole("button", { name: "Prove possession" }).click();
  await expect(page.getByText("It admits nobody yet")).toBeHidden();
  await expect(page.getByRole("button", { name: "Close…" })).toBeVisible();
}

async function wait(page: Page): Promise<void> {
  await expect.poll(() => isListed(page, "/trust"), SOON).toBe(true);
  await openAuthority(page, "Works");
  await page.getByRole("button", { name: "Close…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Close the authority" }).click();
  await expect(page.getByRole("button", { name: "Reopen…" })).toBeVisible();
  issue("late", "/CN=5f1f2c1e-7b3c-4d5e-8f90-1a2b3c4d5e6f");
  await expect.poll(() => device.visit("late"), AT_ONCE).toBe(403);
  await page.goto(`${system.consoleUrl}/trust`);
  await expect(row(page, device.uuid)).toBeVisible();
  await expect(row(page, "5f1f2c1e")).toHaveCount(0);
}

async function approve(page: Page): Promise<void> {
  await row(page, device.uuid).getByRole("button", { name: "Approve…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Fingerprint you expect").fill(device.fingerprint("old"));
  const answered = page.waitForResponse((response) => response.url().endsWith("/approve-many"));
  await dialog.getByRole("button", { name: "Approve this device" }).click();
  expect((await answered).status()).toBe(200);
  await expect.poll(() => device.visit("old"), AT_ONCE).toBe(200);
  expect(await device.visit("late")).toBe(403);

  await page.goto(`${system.consoleUrl}/trust/forecast/devices`);
  await expect(page.locator(`main a[href$="${device.fingerprint("old")}"]`)).toBeVisible();
  await page.goto(`${system.consoleUrl}/trust/posture`);
  await page.getByRole("link", { name: /Keys weaker than is good today/ }).click();
  await expect(row(page, device.uuid)).toContainText("RSA");
}

async function renew(page: Page): Promise<void> {
  await openAuthority(page, "Gatehouse fleet CA");
  await page.getByRole("button", { name: "Change…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Days a replaced certificate stays good").fill("0");
  await dialog.getByRole("button", { name: "Save the rules" }).click();
  await expect(dialog).toBeHidden();

  expect(await device.renew("old", "new")).toBe(200);
  // A reply that is lost costs nothing: until the new one is used, the old one is good.
  expect(await device.visit("old")).toBe(200);
  await expect.poll(() => device.visit("new"), AT_ONCE).toBe(200);
  await expect.poll(() => device.visit("old"), AT_ONCE).toBe(403);
  await page.goto(`${system.consoleUrl}/trust/certificates/${device.fingerprint("old")}`);
  await expect(page.getByText("Superseded", { exact: true }).first()).toBeVisible(NEXT_SWEEP);
  await keepScreen(page, "trust-life-2-superseded");

  await page.goto(`${system.consoleUrl}/trust/forecast/devices`);
  await expect(page.locator(`main a[href$="${device.fingerprint("new")}"]`)).toBeVisible();
  await expect(page.locator(`main a[href$="${device.fingerprint("old")}"]`)).toHaveCount(0);
  await page.goto(`${system.consoleUrl}/trust/posture`);
  await expect(page.getByRole("heading", { name: "Nothing found" })).toBeVisible();
}

async function revoke(page: Page): Promise<void> {
  await openAuthority(page, "Gatehouse fleet CA");
  const [list = ""] = await textsOf(codes(page, "Revocation list"), "Revocation list");
  const [ocsp = ""] = await textsOf(codes(page, "OCSP"), "OCSP");
  const [issuer = ""] = await textsOf(codes(page, "Its certificate"), "Its certificate");
  const text = files.run("x509 -in new.pem -noout -text");
  for (const url of [list, ocsp, issuer]) expect(text).toContain(`URI:${url}`);
  await fetchInto("issuer.der", issuer);
  files.run("x509 -inform DER -in issuer.der -out issuer.pem");
  expect(await byList(list)).toContain("new.pem: OK");
  expect(await byOcsp(ocsp)).toMatch(/Response verify OK[\s\S]*new\.pem: good/);

  await page.goto(`${system.consoleUrl}/trust/certificates/${device.fingerprint("new")}`);
  await page.getByRole("button", { name: "Revoke…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").selectOption("keyCompromise");
  const answered = page.waitForResponse((response) => response.url().endsWith("/revoke-many"));
  await dialog.getByRole("button", { name: "Revoke 1 certificate" }).click();
  expect((await answered).status()).toBe(200);
  await expect.poll(() => device.visit("new"), AT_ONCE).toBe(403);
  expect(await byOcsp(ocsp)).toMatch(/Response verify OK[\s\S]*new\.pem: revoked[\s\S]*keyCompromise/);
  await expect.poll(() => byList(list), SOON).toContain("certificate revoked");
  expect(files.run("crl -in list.pem -noout -text")).toContain("Key Compromise");
  expect(await device.renew("new", "never")).toBe(403);
  await expect(page.getByText("Last decision: revoked")).toBeVisible(SOON);
  await expect(page.getByText("in force", { exact: true })).toBeVisible(SOON);
  await keepScreen(page, "trust-life-3-revoked");
}

async function lookBack(page: Page): Promise<void> {
  await page.goto(`${system.consoleUrl}/trust/forecast`);
  await expect(page.getByText("No certificate in use")).toBeVisible();
  await page.goto(`${system.consoleUrl}/trust/posture`);
  await expect(page.getByRole("heading", { name: "Nothing found" })).toBeVisible();
  await page.goto(`${system.consoleUrl}/trust/certificates`);
  await expect(row(page, device.uuid)).toHaveCount(2);
  expect(system.cli("audit", "verify")).toMatch(/intact/i);
}

/** By the outside authority, as its owner would: with a key that is weaker than is good today. */
function issue(name: string, subject: string): void {
  files.run(`req -new -newkey rsa:2048 -nodes -keyout ${name}.key -subj ${subject} -out ${name}.req`);
  files.run(`x509 -req -in ${name}.req -CA ca.pem -CAkey ca.key -CAcreateserial -days 400 -sha256 -out ${name}.pem`);
}

async function byList(url: string): Promise<string> {
  await fetchInto("list.crl", url);
  files.run("crl -inform DER -in list.crl -out list.pem");
  return files.tell("verify -crl_check -CAfile issuer.pem -CRLfile list.pem new.pem");
}

function byOcsp(url: string): Promise<string> {
  return files.talk(`ocsp -issuer issuer.pem -cert new.pem -url ${url} -CAfile issuer.pem`);
}

async function fetchInto(name: string, url: string): Promise<void> {
  const reply = await fetch(url);
  expect(reply.status).toBe(200);
  writeFileSync(join(files.path, name), await reply.bytes());
}

async function openAuthority(page: Page, name: string): Promise<void> {
  await page.goto(`${system.consoleUrl}/trust/authorities`);
  await page.getByRole("link", { name, exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
}

/** Knocks until the device is among those of a list. */
async function isListed(page: Page, path: string): Promise<boolean> {
  await device.visit("old");
  await page.goto(`${system.consoleUrl}${path}`);
  return row(page, device.uuid)
    .waitFor({ timeout: 3_000 })
    .then(
      () => true,
      () => false,
    );
}

function row(page: Page, text: string): Locator {
  return page.locator("tbody").getByRole("row").filter({ hasText: text });
}

/** Lines to copy, which are labelled for those who hear the page. */
function codes(page: Page, label: string): Locator {
  return page.locator("code").filter({ hasText: new RegExp(`^${label}: `) });
}

async function textsOf(lines: Locator, label: string): Promise<string[]> {
  await lines.first().waitFor();
  return (await lines.allTextContents()).map((text) => text.slice(label.length + 2));
}
