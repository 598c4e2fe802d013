import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Given, text, UsageError } from "#cli/arguments.ts";
import { withInstall } from "#cli/install.ts";
import { SHELL } from "#lib/authz/actor.ts";
import { createBackends } from "#lib/backends/backends.ts";
import { type CredentialBundle, IssueDevice } from "#lib/contracts/console/devices.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { issueDevice } from "#services/identity/service.ts";

/** Writes the five files of a new device into a folder; the private key exists only there. */
export async function issueDeviceFiles(given: Given): Promise<number> {
  const input = IssueDevice.safeParse({ name: text(given, "name"), hardwareId: text(given, "hardware") });
  if (!input.success) {
    const { path: where, message } = input.error.issues[0] ?? { path: [], message: "is not valid" };
    throw new UsageError(`--${where[0] === "hardwareId" ? "hardware" : "name"}: ${message}`);
  }
  const folder = path.resolve(text(given, "out"));
  await claimFolder(folder);
  const bundle = await withInstall(async ({ ctx, secrets }) => {
    const backends = createBackends(ctx.config, secrets);
    try {
      const wishes = { simulated: given.simulated === true, pending: given.pending === true };
      return await issueDevice({ ...ctx, backends }, SHELL, { ...input.data, ...wishes });
    } finally {
      backends.close();
    }
  });
  await writeFiles(folder, bundle.files);
  console.log(`Wrote the credentials of device ${bundle.uuid} to ${folder}.`);
  return 0;
}

/** A folder with anything in it is refused before a certificate is made: no device's key is ever overwritten. */
async function claimFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if ((await readdir(folder)).length === 0) return;
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause)) throw cause;
    throw new AppError("request.conflict", `${folder} cannot be used: ${cause.message}.`, { cause });
  }
  throw new AppError("request.conflict", `${folder} is not empty: choose a new folder for the device's credentials.`);
}

async function writeFiles(folder: string, files: CredentialBundle["files"]): Promise<void> {
  const written: string[] = [];
  try {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(folder, name);
      await writeFile(file, content, { mode: name === "pkey.pem" ? 0o600 : 0o644, flag: "wx" });
      written.push(file);
    }
  } catch (cause) {
    for (const file of written) await rm(file, { force: true });
    throw cause;
  }
}
