import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, test as base, expect, type Page } from "@playwright/test";
import type { Role } from "#lib/authz/permissions.ts";
import { type Api, at, createApi } from "#tests/harness/api.ts";
import { type System, startSystem } from "#tests/harness/system.ts";
import { populate, type Sample } from "./sample.ts";

export const PASSWORD = "a long enough password";
const ADMIN = { ADMIN_EMAIL: "admin@example.org", ADMIN_PASSWORD: PASSWORD };

export type Install = {
  readonly system: System;
  /** As a service token of an admin. */
  readonly api: Api;
  readonly sample: Sample;
  /** A browser context in which somebody of this role is signed in. */
  open(role: Role, options?: Parameters<Browser["newContext"]>[0]): Promise<BrowserContext>;
};

/** One install with a small fleet for all tests that only look at it. Tests that break things start their own. */
export const test = base.extend<object, { install: Install }>({
  install: [
    async ({ browser }, use) => {
      const folder = mkdtempSync(join(tmpdir(), "gatehouse-e2e-"));
      const system = await startSystem(ADMIN);
      try {
        const api = await adminApi(system);
        for (const role of ["support", "operator"]) {
          const user = { email: `${role}@example.org`, name: `${role} person`, role, password: PASSWORD };
          expect((await api.post("/api/v1/users", user)).status).toBe(201);
        }
        mkdirSync(join(folder, "devices"));
        const sample = await populate(system, api, join(folder, "devices"));
        await use({ system, api, sample, open: opener(browser, system) });
      } finally {
        await system.drop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    { scope: "worker", timeout: 480_000 },
  ],
});

/** An install of its own for a test that breaks it; the first admin is there. */
export function startOwnSystem(settings: Record<string, string> = {}): Promise<System> {
  return startSystem({ ...ADMIN, ...settings });
}

export async function adminApi(system: System): Promise<Api> {
  const token = system.cli("token", "create", "--role", "admin", "--name", "browser-tests").trim();
  const api = createApi(system.consoleUrl, token);
  expect(at((await api.get("/api/v1/me")).body, "role")).toBe("admin");
  return api;
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
function opener(browser: Browser, system: System): Install["open"] {
  const states = new Map<Role, Awaited<ReturnType<BrowserContext["storageState"]>>>();
  return async (role, options = {}) => {
    const known = states.get(role);
    const context = await browser.newContext({
      baseURL: system.consoleUrl,
      ...options,
      ...(known && { storageState: known }),
    });
    if (known === undefined) {
      const page = await context.newPage();
      await signIn(page, system.consoleUrl, role);
      states.set(role, await context.storageState());
      await page.close();
    }
    return context;
  };
}
