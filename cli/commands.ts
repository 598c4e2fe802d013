import type { Given, OptionRules } from "#cli/arguments.ts";
import { ensureClient } from "#prisma/generate.ts";

export interface Command {
  readonly name: string;
  readonly synopsis: string;
  readonly summary: string;
  readonly options: OptionRules;
  /** Resolves to the exit code. */
  run(given: Given): Promise<number>;
}

/**
 * Everything the command line can do. A command's code is loaded only when it runs: on a clean checkout the database
 * client that it imports has to be made first.
 */
export const COMMANDS: readonly Command[] = [
  {
    name: "start",
    synopsis: "",
    summary: "set up what is missing and run all parts until stopped",
    options: {},
    run: async () => (await import("#cli/start/start.ts")).runInstall({ mode: "production" }),
  },
  {
    name: "dev",
    synopsis: "",
    summary: "the same from the sources, reloading on change",
    options: {},
    run: async () => (await import("#cli/start/start.ts")).runInstall({ mode: "development" }),
  },
  {
    name: "token create",
    synopsis: "--role R --name N [--expires 30d]",
    summary: "make an API token and print it alone",
    options: {
      role: { type: "string", required: true },
      name: { type: "string", required: true },
      expires: { type: "string" },
    },
    run: async (given) => {
      await ensureClient();
      return (await import("#cli/commands/token.ts")).createToken(given);
    },
  },
  {
    name: "client create",
    synopsis: "--name N --scope S,S [--expires 30d] [--certificate FILE] [--from 10.1.0.0/16,…]",
    summary: "make a machine client for build tools and print its id and secret as JSON",
    options: {
      name: { type: "string", required: true },
      scope: { type: "string", required: true },
      expires: { type: "string" },
      certificate: { type: "string" },
      from: { type: "string" },
    },
    run: async (given) => {
      await ensureClient();
      return (await import("#cli/commands/client.ts")).createClient(given);
    },
  },
  {
    name: "device issue",
    synopsis: "--name N --hardware H --out DIR [--simulated] [--pending]",
    summary: "write the credentials of a new device",
    options: {
      name: { type: "string", required: true },
      hardware: { type: "string", required: true },
      out: { type: "string", required: true },
      simulated: { type: "boolean" },
      pending: { type: "boolean" },
    },
    run: async (given) => {
      await ensureClient();
      return (await import("#cli/commands/device.ts")).issueDeviceFiles(given);
    },
  },
  {
    name: "credentials build",
    synopsis: "--out FILE.zip [--name N] [--expires 365d] [--offline-keys] [--with-targets-key]",
    summary: "write a credentials.zip for build tools, with a machine client of its own",
    options: {
      out: { type: "string", required: true },
      name: { type: "string" },
      expires: { type: "string" },
      "offline-keys": { type: "boolean" },
      "with-targets-key": { type: "boolean" },
    },
    run: async (given) => {
      await ensureClient();
      return (await import("#cli/commands/credentials.ts")).writeBuildCredentials(given);
    },
  },
  {
    name: "credentials device",
    synopsis: "--out FILE.zip [--name N] [--uses 100] [--policy allowed] [--expires 30d] …",
    summary: "write a credentials.zip with which devices register themselves (docs/guides/provisioning.md)",
    options: {
      out: { type: "string", required: true },
      name: { type: "string" },
      uses: { type: "string" },
      policy: { type: "string" },
      expires: { type: "string" },
      certificates: { type: "string" },
      hardware: { type: "string" },
      group: { type: "string" },
    },
    run: async (given) => {
      await ensureClient();
      return (await import("#cli/commands/credentials.ts")).writeDeviceCredentials(given);
    },
  },
  {
    name: "audit verify",
    synopsis: "",
    summary: "check that the audit log was not altered",
    options: {},
    run: async () => {
      await ensureClient();
      return (await import("#cli/commands/audit.ts")).verifyAudit();
    },
  },
  {
    name: "migrate",
    synopsis: "",
    summary: "bring the database up to this version",
    options: {},
    run: async () => {
      await ensureClient();
      return (await import("#cli/commands/migrate.ts")).migrate();
    },
  },
];
