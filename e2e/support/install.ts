import { type Browser, type BrowserContext, test as base, expect, type Page } from "@playwright/test";
import type { Role } from "#lib/authz/permissions.ts";
import { type Api, at, createApi } from "#tests/harness/api.ts";
import { type System, startSystem } from "#tests/harness/system.ts";
import type { Sample } from "./sample.ts";

export const PASSWORD = "a long enough password";
export const ADMIN = { ADMIN_EMAIL: "admin@example.org", ADMIN_PASSWORD: PASSWORD };
/** How the workers learn of the install that the global set-up started. */
export const SHARED = "GATEHOUSE_E2E_INSTALL";
export type SharedInstall = { readonly consoleUrl: string; readonly token: string; readonly sample: Sample };

export type Install = {
  readonly consoleUrl: string;
  /** As a service token of an admin. */
  readonly api: Api;
  readonly sample: Sample;
  /** A browser context in which somebody of this role is signed in. */
  open(role: Role): Promise<BrowserContext>;
};

/** Tests on the shared install. Those that break things start their own. */
export const test = base.extend<object, { install: Install }>({
  install: [
    async ({ browser }, use) => {
      const { consoleUrl, token, sample } = JSON.parse(process.env[SHARED] ?? "null") as SharedInstall; // from our own set-up
      await use({ consoleUrl, api: createApi(consoleUrl, token), sample, open: opener(browser, consoleUrl) });
    },
    { scope: "worker" },
  ],
});

/** An install of its own for a test that breaks it; the first admin is there. */
export function startOwnSystem(settings: Record<string, string> = {}): Promise<System> {
  return startSystem({ ...ADMIN, ...settings });
}

export async function adminApi(system: System): Promise<{ api: Api; token: string }> {
  const token = system.cli("token", "create", "--role", "admin", "--name", "browser-tests").trim();
  const api = createApi(system.consoleUrl, token);
  expect(at((await api.get("/api/v1/me")).body, "role")).toBe("admin");
  return { api, token };
}

/** As one of the users of these tests: `<name>@example.org`. */
export async function signIn(page: Page, consoleUrl: string, name: string): Promise<void> {
  await page.goto(`${consoleUrl}/sign-in`);
  await page.getByLabel("E-mail").fill(`${name}@example.org`);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible({ timeout: 60_000 });
}

/** Signs in once a role and gives every later context a copy of its cookies. */
function opener(browser: Browser, consoleUrl: string): Install["open"] {
  const states = new Map<Role, Awaited<ReturnType<BrowserContext["storageState"]>>>();
  return async (role) => {
    const known = states.get(role);
    const context = await browser.newContext({ baseURL: consoleUrl, ...(known && { storageState: known }) });
    if (known === undefined) {
      const page = await context.newPage();
      await signIn(page, consoleUrl, role);
      states.set(role, await context.storageState());
      await page.close();
    }
    return context;
  };
}
