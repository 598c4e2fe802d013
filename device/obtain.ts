import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type CredentialFiles, readCredentialFolder } from "#device/credentials.ts";
import { findFile, makeFolder, writeAtomically } from "#device/files.ts";
import { AppError } from "#lib/errors/app-error.ts";

export type ObtainedDevice = {
  readonly name: string;
  readonly files: CredentialFiles;
  readonly stateDir: string;
  readonly hardwareId: string;
  readonly secondaries: number;
};

type Wanted = {
  readonly count: number;
  readonly hardware: string;
  readonly secondaries: number;
  readonly dir: string;
  readonly pending: boolean;
};

export type CredentialOrder = {
  readonly name: string;
  readonly hardware: string;
  readonly pending: boolean;
  readonly out: string;
};

/** Writes the files of a new device into `out`, or throws. */
export type IssueCredentials = (order: CredentialOrder) => Promise<void>;

const Profile = z.object({ hardware: z.string(), secondaries: z.number(), pending: z.boolean() });

/**
 * The wanted devices: first those in the folder that fit, then new ones for which this install issues credentials. A
 * device's folder is complete or not there: it gets its name only when its credentials are in it.
 *
 * @throws AppError `start.failed` when the install refuses to issue
 */
export async function obtainDevices(
  wanted: Wanted,
  how: { readonly say: (line: string) => void; readonly issue: IssueCredentials },
): Promise<readonly ObtainedDevice[]> {
  await makeFolder(wanted.dir);
  const names = (await findFitting(wanted)).slice(0, wanted.count);
  if (names.length > 0) how.say(`using ${names.length} device(s) from ${wanted.dir}`);
  while (names.length < wanted.count) {
    const name = `sim-${wanted.hardware.replace(/[^A-Za-z0-9._-]/g, "-")}-${randomBytes(3).toString("hex")}`;
    await makeDevice(wanted, name, how.issue);
    how.say(`${name}: credentials issued${wanted.pending ? ", waits for approval" : ""}`);
    names.push(name);
  }
  return Promise.all(
    names.map(async (name) => ({
      name,
      files: await readCredentialFolder(join(wanted.dir, name, "credentials")),
      stateDir: join(wanted.dir, name, "state"),
      hardwareId: wanted.hardware,
      secondaries: wanted.secondaries,
    })),
  );
}

async function findFitting(wanted: Wanted): Promise<string[]> {
  const fitting: string[] = [];
  const entries = await readdir(wanted.dir, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
  for (const name of folders.map((entry) => entry.name).sort()) {
    const profile = await findProfile(join(wanted.dir, name, "profile.json"));
    if (profile === null) continue;
    const { hardware, secondaries, pending } = profile;
    if (hardware === wanted.hardware && secondaries === wanted.secondaries && pending === wanted.pending)
      fitting.push(name);
  }
  return fitting;
}

async function findProfile(path: string): Promise<z.infer<typeof Profile> | null> {
  const bytes = await findFile(path);
  if (bytes === null) return null;
  try {
    return Profile.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new AppError("start.failed", `The device's profile ${path} cannot be read.`, { cause });
  }
}

async function makeDevice(wanted: Wanted, name: string, issue: IssueCredentials): Promise<void> {
  const draft = join(wanted.dir, `.${name}`);
  await makeFolder(draft);
  try {
    const { hardware, secondaries, pending } = wanted;
    await issue({ name, hardware, pending, out: resolve(draft, "credentials") });
    await writeAtomically(join(draft, "profile.json"), JSON.stringify({ hardware, secondaries, pending }));
    await rename(draft, join(wanted.dir, name));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Issues by the `gatehouse` command of this checkout. It says on standard error what is wrong; its standard output is of no use
 * here.
 */
export function issueByCommand({ name, hardware, pending, out }: CredentialOrder): Promise<void> {
  const order = ["device", "issue", "--name", name, "--hardware", hardware, "--out", out, "--simulated"];
  const words = pending ? [...order, "--pending"] : order;
  const script = join(import.meta.dirname, "..", "cli", "gatehouse.mjs");
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [script, ...words], { stdio: ["ignore", "ignore", "inherit"] });
    child.on("error", (cause) => fail(new AppError("start.failed", "The gatehouse command cannot be run.", { cause })));
    child.on("close", (code) => {
      if (code === 0) done();
      else fail(new AppError("start.failed", "This install did not issue the credentials. Is it running (npm start)?"));
    });
  });
}
