import { open, rm } from "node:fs/promises";
import path from "node:path";
import { type Given, parseDurationSeconds, text, UsageError } from "#cli/arguments.ts";
import { withInstall } from "#cli/install.ts";
import { SHELL } from "#lib/authz/actor.ts";
import { type BackendCtx, createBackends } from "#lib/backends/backends.ts";
import {
  BuildCredentials,
  CreateProvisioningCredential,
  type CredentialArchive,
} from "#lib/contracts/console/credentials.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { buildCredentials, createProvisioningCredential } from "#services/identity/service.ts";

const DAY_SECONDS = 86_400;

/** Makes a machine client and writes the credentials.zip of build tools. */
export async function writeBuildCredentials(given: Given): Promise<number> {
  const withTargetsKey = given["with-targets-key"] === true;
  const input = BuildCredentials.safeParse({
    name: given.name ?? "build tools, from the command line",
    offlineKeys: given["offline-keys"] === true,
    withTargetsKey,
    ...days(given, "expires", "expiresInDays"),
  });
  if (!input.success) {
    const { path: where, message } = input.error.issues[0] ?? { path: [], message: "is not valid" };
    throw new UsageError(`--${where[0] === "expiresInDays" ? "expires" : "name"}: ${message}`);
  }
  if (withTargetsKey)
    console.error("targets.sec is the private key of the list of images: whoever has it can sign any.");
  return writeArchive(text(given, "out"), () =>
    withBackends(async (ctx) => (await buildCredentials(ctx, SHELL, input.data)).archive),
  );
}

/** Makes a provisioning credential and writes the credentials.zip with which devices register themselves. */
export async function writeDeviceCredentials(given: Given): Promise<number> {
  const input = CreateProvisioningCredential.safeParse({
    description: given.name ?? "from the command line",
    uses: given.uses === undefined ? undefined : Number(given.uses),
    policy: given.policy,
    groupId: given.group,
    hardwareId: given.hardware,
    ...days(given, "expires", "expiresInDays"),
    ...days(given, "certificates", "certificateDays"),
  });
  if (!input.success) {
    const { path: where, message } = input.error.issues[0] ?? { path: [], message: "is not valid" };
    throw new UsageError(`--${OPTION_OF[String(where[0])] ?? "name"}: ${message}`);
  }
  return writeArchive(text(given, "out"), () =>
    withBackends(async (ctx) => (await createProvisioningCredential(ctx, SHELL, input.data)).archive),
  );
}

function withBackends<T>(work: (ctx: BackendCtx) => Promise<T>): Promise<T> {
  return withInstall(async ({ ctx, secrets }) => {
    const backends = createBackends(ctx.config, secrets);
    try {
      return await work({ ...ctx, backends });
    } finally {
      backends.close();
    }
  });
}

const OPTION_OF: Readonly<Record<string, string>> = {
  uses: "uses",
  policy: "policy",
  groupId: "group",
  hardwareId: "hardware",
  expiresInDays: "expires",
  certificateDays: "certificates",
};

function days(given: Given, option: string, field: string): Record<string, number> {
  const duration = given[option];
  return typeof duration === "string" ? { [field]: parseDurationSeconds(option, duration) / DAY_SECONDS } : {};
}

/** The file is claimed before anything is made, is its owner's alone, and never replaces another one. */
async function writeArchive(out: string, make: () => Promise<CredentialArchive>): Promise<number> {
  const file = path.resolve(out);
  const handle = await open(file, "wx", 0o600).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("request.conflict", `${file} cannot be written: ${why}.`, { cause });
  });
  try {
    const archive = await make();
    await handle.writeFile(Buffer.from(archive.archiveBase64, "base64"));
    console.log(`Wrote ${file}:`);
    for (const { name, readBy } of archive.entries) console.log(`  ${name.padEnd(24)} ${readBy}`);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  return 0;
}
