import { expect } from "@playwright/test";
import { test } from "./support/install.ts";
import { keepScreen } from "./support/pictures.ts";
import { expectAccessible } from "./support/watch.ts";

/* The bell: what crossed a threshold, told on every page to those who may know of it. */

test("who may only look is told, and takes nothing on", async ({ install }) => {
  const context = await install.open("support");
  const page = await context.newPage();
  await page.goto("/trust/notices");
  await expect(page.getByRole("listitem").first()).toBeVisible();
  await expect(page.getByRole("button", { name: /^Acknowledge/ })).toHaveCount(0);
  await context.close();
});

test("a notice is seen from any page, leads to its mend, and is taken on by one who may", async ({ install }) => {
  const context = await install.open("admin");
  const page = await context.newPage();
  await page.goto("/images");
  const bell = page.getByRole("button", { name: /^Notices/ });
  await expect(bell).toHaveAccessibleName(/^Notices: \d+ open$/);
  const before = Number(/\d+/.exec((await bell.getAttribute("aria-label")) ?? "")?.[0]);

  await bell.press("Enter");
  const panel = page.getByRole("region", { name: "Notices" });
  const weak = panel.getByRole("listitem").filter({ hasText: "Keys weaker than is good today" });
  await expect(weak).toBeVisible();
  await keepScreen(page, "notice-panel");
  await page.keyboard.press("Escape");
  await expect(panel).toBeHidden();
  await expect(bell).toBeFocused();

  await bell.click();
  await weak.getByRole("button", { name: /^Acknowledge: / }).click();
  await expect(weak).toBeHidden();
  await expect(bell).toHaveAccessibleName(before === 1 ? "Notices" : `Notices: ${before - 1} open`);
  await panel.getByRole("link", { name: /^All notices/ }).click();
  await expect(page).toHaveURL(/\/trust\/notices$/);
  await expect(panel).toBeHidden();
  await page.getByText("Acknowledged", { exact: true }).click();
  const taken = page.getByRole("listitem").filter({ hasText: "Keys weaker than is good today" });
  await expect(taken).toContainText("sees to it");
  await expectAccessible(page, "the notices that somebody sees to");
  await taken.getByRole("link").click();
  await expect(page).toHaveURL(/\/trust\/posture\/weak_key$/);
  await context.close();
});
