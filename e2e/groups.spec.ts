import { expect } from "@playwright/test";
import { at } from "#tests/harness/api.ts";
import { test } from "./support/install.ts";
import { keepScreen } from "./support/pictures.ts";
import { GROUPS } from "./support/sample.ts";

/* Groups by their names, where a token is made for them: many of them, and one that goes meanwhile. */

const MORE_THAN_A_LIST = 101;

test("a group is searched and chosen by name, and one that goes meanwhile is told of", async ({ install }) => {
  const { api } = install;
  const make = async (name: string): Promise<string> =>
    String((await api.post(GROUPS, { name, groupType: "static", expression: null })).body);
  const bays = await Promise.all(Array.from({ length: MORE_THAN_A_LIST }, (_, n) => make(`Bay ${n + 1}`)));
  const goner = await make("Test bench");
  const context = await install.open("admin");
  const page = await context.newPage();
  try {
    await page.goto("/trust/enrolment");
    await page.getByRole("button", { name: "New token…" }).first().click();
    const dialog = page.getByRole("dialog");
    const group = dialog.getByLabel(/^Group/);
    await dialog.getByLabel("Description").fill("Test bench, night shift");
    await dialog.getByLabel("Search groups").fill("bench");
    await group.selectOption("Test bench");
    await dialog.getByLabel("Search groups").fill("nothing of that name");
    await expect(group.locator("option", { hasText: "no group of this name" })).toHaveCount(1);
    await expect(group).toHaveValue(goner);
    await keepScreen(page, "dialog-token-many-groups");

    await api.delete(`${GROUPS}/${goner}`);
    await dialog.getByRole("button", { name: "Make the token" }).click();
    await expect(dialog.getByText("This group is gone")).toBeVisible();
    await dialog.getByLabel("Search groups").fill("line 4");
    await group.selectOption("Line 4");
    await dialog.getByRole("button", { name: "Make the token" }).click();
    await dialog.getByRole("button", { name: "Done" }).click();
    await dialog.getByRole("button", { name: "I have it" }).click();
    await expect(page.getByRole("row", { name: /Test bench, night shift/ })).toContainText("into Line 4");
  } finally {
    await Promise.all(bays.map((id) => api.delete(`${GROUPS}/${id}`)));
  }
  const { body } = await api.get("/api/v1/device-groups");
  expect(at(body, "isComplete")).toBe(true);
  await context.close();
});
