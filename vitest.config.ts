import { defineConfig } from "vitest/config";

const ignored = ["**/node_modules/**", ".next/**", "e2e/**"];

export default defineConfig({
  test: {
    // Two cores are enough for the whole run; more workers only make time-outs more likely.
    maxWorkers: 2,
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["lib/**/*.test.ts", "components/**/*.test.ts"], exclude: ignored },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["{app,services,gateway,worker,device,cli,prisma,scripts,tests}/**/*.test.ts"],
          exclude: [...ignored, "tests/system/**"],
          globalSetup: ["./tests/harness/global-setup.ts"],
        },
      },
      {
        // Whole installs from the build that is there: `npm run build` first. One at a time: they are held to seconds.
        extends: true,
        test: {
          name: "system",
          include: ["tests/system/**/*.test.ts"],
          exclude: ignored,
          globalSetup: ["./tests/harness/global-setup.ts"],
        },
      },
    ],
  },
});
