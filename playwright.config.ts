import { defineConfig } from "@playwright/test";

/** Whole installs from the build that is there (`npm run build` first), seen with the system's own Chromium. */
export default defineConfig({
  testDir: "e2e",
  globalSetup: "./e2e/support/global-setup.ts",
  outputDir: "artifacts/browser",
  workers: 2,
  // Journeys hold the product to deadlines and break installs, so they run alone; looking at screens changes nothing.
  projects: [
    { name: "journeys", testIgnore: "screens.spec.ts", workers: 1 },
    // The main path once more, as the console of another install's services.
    {
      name: "two installs",
      testMatch: "journey.spec.ts",
      workers: 1,
      metadata: { backEnds: "another install" },
      dependencies: ["journeys"],
    },
    {
      name: "screens",
      testMatch: "screens.spec.ts",
      fullyParallel: true,
      dependencies: ["journeys"],
      // Each keeps its pictures anyway; recording every step of them costs more than the looking.
      use: { trace: "off" },
    },
  ],
  forbidOnly: process.env.CI !== undefined,
  reporter: "line",
  timeout: 120_000,
  expect: { timeout: 20_000 },
  use: {
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    actionTimeout: 20_000,
    navigationTimeout: 45_000,
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    },
  },
});
