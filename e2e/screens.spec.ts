import type { Page } from "@playwright/test";
import { ROLES, type Role } from "#lib/authz/permissions.ts";
import { type Install, test } from "./support/install.ts";
import { keepScreen, renewReadmePicture } from "./support/pictures.ts";
import type { Sample } from "./support/sample.ts";
import { expectAccessible, expectNoSidewaysScroll, settle, watch } from "./support/watch.ts";

type Screen = {
  readonly name: string;
  readonly path: (sample: Sample) => string;
  /** What is opened on it before it is looked at. */
  readonly open?: (page: Page) => Promise<void>;
};

const SCREENS: readonly Screen[] = [
  { name: "overview", path: () => "/overview" },
  { name: "devices", path: () => "/devices" },
  { name: "devices-no-match", path: () => "/devices?q=nothing-of-that-name" },
  { name: "device", path: ({ device }) => `/devices/${device}` },
  { name: "device-failed", path: ({ failedDevice }) => `/devices/${failedDevice}` },
  { name: "device-certificate", path: ({ device }) => `/devices/${device}?tab=certificate` },
  { name: "device-hardware", path: ({ device }) => `/devices/${device}?tab=hardware` },
  { name: "device-activity", path: ({ device }) => `/devices/${device}?tab=activity` },
  { name: "trust", path: () => "/trust" },
  { name: "trust-certificates", path: () => "/trust/certificates" },
  { name: "trust-certificate", path: ({ revoked }) => `/trust/certificates/${revoked}` },
  { name: "trust-authorities", path: () => "/trust/authorities" },
  {
    name: "trust-authority",
    path: () => "/trust/authorities",
    open: async (page) => {
      await page.getByRole("link", { name: "Gatehouse fleet CA" }).first().click();
      await page.getByText("What it asks of newcomers").waitFor();
    },
  },
  { name: "trust-server-ca", path: () => "/trust/authorities/server-ca" },
  { name: "trust-allowlist", path: () => "/trust/allowlist" },
  { name: "trust-refused", path: () => "/trust/refused" },
  { name: "trust-enrolment", path: () => "/trust/enrolment" },
  { name: "trust-forecast", path: () => "/trust/forecast" },
  { name: "trust-forecast-weeks", path: () => "/trust/forecast?by=weeks" },
  { name: "trust-expiring", path: () => "/trust/forecast/devices" },
  { name: "trust-campaigns", path: () => "/trust/campaigns" },
  { name: "trust-notices", path: () => "/trust/notices" },
  { name: "trust-posture", path: () => "/trust/posture" },
  { name: "trust-finding", path: () => "/trust/posture/weak_key" },
  { name: "images", path: () => "/images" },
  { name: "image", path: ({ image }) => `/images/${image}` },
  { name: "updates", path: () => "/updates" },
  { name: "update", path: ({ update }) => `/updates/${update}` },
  { name: "update-new", path: ({ image }) => `/updates/new?image=${image}` },
  { name: "access", path: () => "/access" },
  { name: "access-tokens", path: () => "/access/tokens" },
  { name: "access-machines", path: () => "/access/machines" },
  { name: "keys", path: () => "/keys" },
  { name: "settings", path: () => "/settings", open: (page) => page.getByText("answers").nth(4).waitFor() },
  { name: "audit", path: () => "/audit" },
  { name: "api-reference", path: () => "/docs/api" },
  { name: "not-found", path: () => "/no-such-page" },
];

/** What only those see who may change things. */
const DIALOGS: readonly Screen[] = [
  { name: "dialog-connect", path: () => "/devices?open=connect", open: (page) => dialog(page) },
  { name: "dialog-upload", path: () => "/images?open=upload", open: (page) => dialog(page) },
  {
    name: "dialog-approve",
    path: () => "/trust",
    open: async (page) => {
      await page.getByRole("button", { name: "Approve…" }).first().click();
      await dialog(page);
    },
  },
  {
    name: "dialog-allow",
    path: () => "/trust/allowlist",
    open: async (page) => {
      await page.getByRole("button", { name: "Allow a certificate…" }).first().click();
      await dialog(page);
      await page.getByLabel(/^Group/).selectOption("Line 4");
      await page.getByRole("button", { name: "Add a tag" }).click();
      await page.getByLabel("Name of tag 1").fill("site");
      await page.getByLabel("Value of tag 1").fill("Ulm");
    },
  },
  {
    name: "dialog-import",
    path: () => "/trust/allowlist",
    open: async (page) => {
      await page.getByRole("button", { name: "Import a list…" }).first().click();
      await dialog(page);
    },
  },
  {
    name: "dialog-revoke",
    path: ({ device }) => `/devices/${device}?tab=certificate`,
    open: async (page) => {
      await page.getByRole("button", { name: "Revoke…" }).first().click();
      await dialog(page);
    },
  },
  {
    name: "dialog-authority-create",
    path: () => "/trust/authorities",
    open: async (page) => {
      await page.getByRole("button", { name: "New authority…" }).click();
      await dialog(page);
    },
  },
  {
    name: "dialog-authority-upload",
    path: () => "/trust/authorities",
    open: async (page) => {
      await page.getByRole("button", { name: "Upload…" }).click();
      await dialog(page);
    },
  },
  {
    name: "dialog-provisioning",
    path: () => "/trust/enrolment",
    open: async (page) => {
      await page.getByRole("button", { name: "New credential…" }).first().click();
      await dialog(page);
    },
  },
  {
    name: "dialog-token",
    path: () => "/trust/enrolment",
    open: async (page) => {
      await page.getByRole("button", { name: "New token…" }).first().click();
      await dialog(page);
    },
  },
  {
    name: "dialog-build-credentials",
    path: () => "/access",
    open: async (page) => {
      await page.getByRole("button", { name: "Build tools…" }).click();
      await dialog(page);
    },
  },
  {
    name: "dialog-rotate",
    path: () => "/keys",
    open: async (page) => {
      await page.getByRole("button", { name: "Rotate the root keys of the Image repository" }).click();
      await page.getByText("From it to the new root").waitFor();
    },
  },
  {
    name: "dialog-offline",
    path: () => "/keys",
    open: async (page) => {
      await page
        .getByRole("button", { name: /^Take offline….*targets/ })
        .first()
        .click();
      await dialog(page);
    },
  },
  {
    name: "menu-user",
    path: () => "/overview",
    open: async (page) => {
      await page.getByRole("button", { name: /theme and sign-out/ }).click();
      await page.getByRole("menu").waitFor();
    },
  },
  {
    name: "menu-command",
    path: () => "/overview",
    open: async (page) => {
      await page.keyboard.press("Control+k");
      await page.getByPlaceholder(/^Find a device/).fill("rpi");
      await page.getByRole("option").first().waitFor();
    },
  },
];

const WIDE = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
type View = { theme: "light" | "dark"; size: typeof WIDE };
const EVERY_VIEW: readonly View[] = [
  { theme: "light", size: WIDE },
  { theme: "dark", size: WIDE },
  { theme: "dark", size: PHONE },
  { theme: "light", size: PHONE },
];
/** Roles differ in what is offered, not in colours: each theme and each width once. */
const TWO_VIEWS: readonly View[] = [
  { theme: "light", size: WIDE },
  { theme: "dark", size: PHONE },
];

for (const role of ROLES) {
  for (const screen of [...SCREENS, ...(role === "admin" ? DIALOGS : [])]) {
    test(`${screen.name} as ${role} is accessible, fits a phone and is quiet`, async ({ install }) => {
      await look(install, role, screen);
    });
  }
}

test("the ways in are accessible, fit a phone and are quiet", async ({ install, browser }) => {
  const origin = install.consoleUrl;
  const context = await browser.newContext({ baseURL: origin });
  const quiet = watch(context, origin);
  const page = await context.newPage();
  for (const path of ["/sign-in", "/setup"]) {
    await page.goto(path);
    await lookAround(page, `signed-out-${path.slice(1)}`, EVERY_VIEW);
  }
  quiet.expectQuiet();
  await context.close();
});

test("pictures of the README", async ({ install }) => {
  test.skip(process.env.UPDATE_SCREENSHOTS !== "1", "renewed with UPDATE_SCREENSHOTS=1");
  const context = await install.open("admin");
  const page = await context.newPage();
  for (const name of ["devices", "images"]) {
    await page.goto(`/${name}`);
    await settle(page);
    await page.getByText("Live", { exact: true }).waitFor();
    await renewReadmePicture(page, name);
  }
  await context.close();
});

async function look(install: Install, role: Role, screen: Screen): Promise<void> {
  const origin = install.consoleUrl;
  const context = await install.open(role);
  const quiet = watch(context, origin);
  const page = await context.newPage();
  const response = await page.goto(screen.path(install.sample));
  await settle(page);
  await screen.open?.(page);
  await lookAround(page, `${screen.name}-${role}`, role === "admin" ? EVERY_VIEW : TWO_VIEWS);
  // The browser itself reports a page that answers 404.
  if (response?.status() !== 404) quiet.expectQuiet();
  await context.close();
}

async function lookAround(page: Page, name: string, views: readonly View[]): Promise<void> {
  for (const { theme, size } of views) {
    await page.setViewportSize(size);
    await page.evaluate((value) => {
      document.documentElement.dataset.theme = value;
    }, theme);
    await stopFading(page);
    const what = `${name}-${theme}-${size.width}`;
    await keepScreen(page, what);
    await expectAccessible(page, what);
    if (size.width === PHONE.width) await expectNoSidewaysScroll(page, what);
  }
}

/** Colours fade over; axe would measure half of the way, so fades are brought to their end. Spinners never end. */
async function stopFading(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const animation of document.getAnimations()) {
      if (animation.effect?.getTiming().iterations !== Number.POSITIVE_INFINITY) animation.finish();
    }
  });
}

async function dialog(page: Page): Promise<void> {
  await page.getByRole("dialog").waitFor();
}
