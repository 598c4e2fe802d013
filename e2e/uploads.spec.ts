import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "@playwright/test";
import { signIn, test } from "./support/install.ts";

const MIB = 1024 * 1024;

test("an upload that a reload interrupts goes on with the same file, and only with what is missing", async ({
  page,
  install,
}) => {
  const file = path.join(tmpdir(), `gatehouse-upload-${process.pid}.img`);
  await writeFile(file, randomBytes(40 * MIB));
  const partsSent: string[] = [];
  page.on("request", (request) => {
    const part = /\/api\/v1\/uploads\/[^/]+\/parts\/(\d+)/.exec(request.url())?.[1];
    if (part !== undefined) partsSent.push(part);
  });
  try {
    await signIn(page, install.consoleUrl, "operator");
    await page.goto(`${install.consoleUrl}/images`);
    await page.route(/\/parts\/3(\?|$)/, () => undefined); // never answered
    await page.getByRole("button", { name: "Upload" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("resumed");
    await dialog.getByLabel("Version").fill("1.0");
    await dialog.getByLabel("Hardware ids").fill("rpi4");
    await dialog.getByLabel("File").setInputFiles(file);
    await dialog.getByRole("button", { name: "Upload" }).click();
    await expect.poll(() => partsSent, { timeout: 60_000 }).toContain("3");

    await page.reload();
    await page.unroute(/\/parts\/3(\?|$)/); // not before: what is held back would go on
    const tray = page.getByRole("region", { name: "Uploads" });
    await expect(tray.getByText("Interrupted. What was sent is kept.")).toBeVisible();
    partsSent.length = 0;
    await tray.getByLabel(/to go on/).setInputFiles(file);
    await expect(tray.getByRole("link", { name: "Show the image" })).toBeVisible({ timeout: 60_000 });
    expect(partsSent).toContain("3");
    expect(partsSent).not.toContain("1");
    expect(partsSent).not.toContain("2");

    await tray.getByRole("link", { name: "Show the image" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("resumed");
    await expect(page.getByText("Verified", { exact: true }).first()).toBeVisible({ timeout: 30_000 });
  } finally {
    await rm(file, { force: true });
  }
});
