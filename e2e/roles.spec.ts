import { expect } from "@playwright/test";
import { at } from "#tests/harness/api.ts";
import { type Install, PASSWORD, signIn, test } from "./support/install.ts";
import { settle } from "./support/watch.ts";

/** Every control that changes something, by page. */
const CHANGES: readonly { path: (install: Install) => string; names: readonly (string | RegExp)[] }[] = [
  { path: () => "/devices", names: ["Connect a device"] },
  { path: ({ sample }) => `/devices/${sample.device}`, names: ["Update…"] },
  { path: ({ sample }) => `/devices/${sample.device}?tab=certificate`, names: ["Revoke…"] },
  { path: () => "/trust", names: ["Allow a certificate…", "Approve…", "Reject…"] },
  { path: () => "/trust/allowlist", names: ["Import a list…"] },
  { path: () => "/trust/enrolment", names: ["New credential…", "New token…"] },
  { path: () => "/access", names: ["Build tools…"] },
  { path: () => "/images", names: ["Upload"] },
  { path: ({ sample }) => `/images/${sample.image}`, names: ["Delete…", "Update devices…"] },
  { path: () => "/updates", names: ["New update"] },
];

test("support sees every control that it may not use, with what it lacks, and none of them does anything", async ({
  install,
}) => {
  const context = await install.open("support");
  const page = await context.newPage();
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.method() !== "GET") sent.push(`${request.method()} ${request.url()}`);
  });
  for (const { path, names } of CHANGES) {
    await page.goto(path(install));
    await settle(page);
    for (const name of names) {
      const control = page.getByRole("button", { name, exact: true }).first();
      await expect(control, `${path(install)}: ${name}`).toHaveAttribute("aria-disabled", "true");
      await expect(control).toHaveAttribute("data-tip", /^Needs the permission /);
      await control.click({ force: true });
      await expect(page.getByRole("dialog")).toHaveCount(0);
    }
  }
  expect(sent).toEqual([]);
  await context.close();
});

test("the API refuses support what the buttons refuse, and a refusal signs nobody out", async ({ install }) => {
  const { sample, consoleUrl } = install;
  const context = await install.open("support");
  const page = await context.newPage();
  await page.goto("/overview");
  const calls: [string, string, unknown][] = [
    ["POST", "/api/v1/devices/issue", { name: "x", hardwareId: "x" }],
    ["PATCH", `/api/v1/devices/${sample.device}`, { name: "x" }],
    ["DELETE", `/api/v1/devices/${sample.device}`, undefined],
    ["POST", `/api/v1/certificates/${sample.waiting}/approve`, {}],
    ["POST", `/api/v1/certificates/${sample.waiting}/reject`, {}],
    ["DELETE", `/api/v1/images/${sample.image}`, undefined],
    ["POST", "/api/v1/updates", { name: "x", targets: { x: { to: "x" } }, devices: [sample.device] }],
    ["POST", "/api/v1/users", { name: "x", email: "x@example.org", role: "admin", password: PASSWORD }],
  ];
  for (const [method, path, data] of calls) {
    const response = await page.request.fetch(`${consoleUrl}${path}`, {
      method,
      headers: { origin: consoleUrl },
      ...(data === undefined ? {} : { data }),
    });
    expect(response.status(), `${method} ${path}`).toBe(403);
    expect(at(await response.json(), "code")).toBe("auth.forbidden");
  }
  await page.reload();
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  await context.close();
});

test("when the session ends, one signs in again in place and the form is still filled in", async ({
  install,
  browser,
}) => {
  const { api, consoleUrl } = install;
  await addUser(install, "renew");
  const context = await browser.newContext();
  const page = await context.newPage();
  await signIn(page, consoleUrl, "renew");
  await page.goto(`${consoleUrl}/images?open=upload`);
  const form = page.getByRole("dialog").filter({ hasText: "Upload an image" });
  await form.getByLabel("Name").fill("kept");
  await form.getByLabel("Version").fill("9.9.9");
  await form.getByLabel("Hardware ids").fill("kept-hw");
  await form
    .getByLabel("File")
    .setInputFiles({ name: "kept.bin", mimeType: "application/octet-stream", buffer: Buffer.from("kept") });
  await endSessions(install, "renew");
  await form.getByRole("button", { name: /^Upload \d/ }).click();
  const again = page.getByRole("dialog").filter({ hasText: "Your session has ended" });
  await expect(again).toBeVisible();
  await expect(again.getByLabel("E-mail")).toHaveValue("renew@example.org");
  await again.getByLabel("Password").fill(PASSWORD);
  await again.getByRole("button", { name: "Sign in" }).click();
  await expect(again).toBeHidden();
  // The upload that found the session gone either went on by itself or can be sent again from the same form.
  if (await form.isVisible()) await expect(form.getByLabel("Hardware ids")).toHaveValue("kept-hw");
  await expect(async () => {
    const send = form.getByRole("button", { name: /^Upload \d/ });
    if (await send.isEnabled({ timeout: 500 }).catch(() => false)) await send.click({ timeout: 1_000 });
    expect((await api.get("/api/v1/images/kept_9.9.9")).status).toBe(200);
  }).toPass({ timeout: 30_000 });
  await context.close();
});

test("signing out everywhere ends every browser of that person", async ({ install, browser }) => {
  const { consoleUrl } = install;
  await addUser(install, "everywhere");
  const contexts = await Promise.all([browser.newContext(), browser.newContext()]);
  const pages = await Promise.all(contexts.map((context) => context.newPage()));
  for (const page of pages) await signIn(page, consoleUrl, "everywhere");
  const [here, elsewhere] = pages;
  if (here === undefined || elsewhere === undefined) throw new Error("two pages were opened");
  await here.getByRole("button", { name: /theme and sign-out/ }).click();
  await here.getByRole("menuitem", { name: "Sign out everywhere" }).click();
  await expect(here).toHaveURL(/\/sign-in/);
  expect((await elsewhere.request.get(`${consoleUrl}/api/v1/me`)).status()).toBe(401);
  await elsewhere.goto(`${consoleUrl}/devices`);
  await expect(elsewhere).toHaveURL(/\/sign-in\?from=/);
  await Promise.all(contexts.map((context) => context.close()));
});

async function addUser({ api }: Install, name: string): Promise<void> {
  const user = { email: `${name}@example.org`, name, role: "operator", password: PASSWORD };
  const { status } = await api.post("/api/v1/users", user);
  expect([201, 409]).toContain(status);
}

async function endSessions({ api }: Install, name: string): Promise<void> {
  const users = at((await api.get(`/api/v1/users?q=${name}&limit=200`)).body, "data");
  const user = Array.isArray(users) ? users.find((one) => at(one, "email") === `${name}@example.org`) : undefined;
  expect((await api.post(`/api/v1/users/${at(user, "id")}/sign-out`, {})).status).toBe(200);
}
