import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";

const SCREENS = fileURLToPath(new URL("../../artifacts/screens", import.meta.url));
const README = fileURLToPath(new URL("../../docs/screenshots", import.meta.url));

/** Keeps a picture of the whole page for people to look at. */
export async function keepScreen(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENS, { recursive: true });
  await page.screenshot({ path: join(SCREENS, `${name}.png`), fullPage: true, animations: "disabled" });
}

/** Renews a picture of the README, when UPDATE_SCREENSHOTS=1 asks for it. */
export async function renewReadmePicture(page: Page, name: string): Promise<void> {
  if (process.env.UPDATE_SCREENSHOTS !== "1") return;
  const before = page.viewportSize();
  await page.setViewportSize({ width: 1200, height: 700 });
  await page.screenshot({ path: join(README, `${name}.png`), animations: "disabled" });
  if (before !== null) await page.setViewportSize(before);
}
