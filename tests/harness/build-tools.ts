import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import type { ToolScope } from "#lib/authz/tool-scopes.ts";
import { type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";
import {
  verifyImageTargets,
  verifyInitialRoot,
  verifyNextRoot,
  verifySnapshot,
  verifyTimestamp,
} from "#lib/uptane/verify.ts";
import { createTestRepository, ostree, type TestRepository } from "#tests/harness/ostree.ts";
import type { System } from "#tests/harness/system.ts";

const run = promisify(execFile);

export type LargeRepository = { readonly repository: TestRepository; readonly commit: string; drop(): void };

/** A repository of more than `files` objects, most of them small as in a root file system, with one commit on `master`. */
export function createLargeRepository(files: number): LargeRepository {
  const repository = createTestRepository();
  const content = Array.from({ length: files }, (_, index) => {
    const bytes = randomBytes(64 + ((index * 7_919) % 24_000));
    return [`usr/lib/package-${index % 97}/file-${index}`, bytes] as const;
  });
  const commit = repository.commit(Object.fromEntries(content));
  return { repository, commit, drop: () => rmSync(dirname(repository.path), { recursive: true }) };
}

/** Folder with `client.pem`, `pkey.pem` and `root.crt`, as the command line gives a new device. */
export function issueDevice(system: System, name: string): string {
  const folder = join(mkdtempSync(join(tmpdir(), "gatehouse-device-")), "device");
  system.cli("device", "issue", "--name", name, "--hardware", "rpi4", "--out", folder);
  return folder;
}

/** A credentials.zip that the command line made, unpacked. @returns its folder */
export function makeCredentials(system: System, kind: "build" | "device", ...options: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-credentials-"));
  system.cli("credentials", kind, "--out", join(folder, "credentials.zip"), ...options);
  execFileSync("python3", ["-m", "zipfile", "-e", "credentials.zip", "."], { cwd: folder });
  return folder;
}

/** The header of a machine client that the command line made, with a token that it asked a tools door for. */
export async function tokenOfNewClient(
  system: System,
  at: { toolsUrl: string; ca: string },
  scopes: readonly ToolScope[],
): Promise<{ authorization: string }> {
  const made: unknown = JSON.parse(system.cli("client", "create", "--name", "build", "--scope", scopes.join(",")));
  const { clientId, clientSecret } = made as { clientId: string; clientSecret: string };
  const client = { server: `${at.toolsUrl}/token`, scope: scopes.join(" ") };
  return requestToken({ ...client, client_id: clientId, client_secret: clientSecret }, at.ca);
}

/** The header of the machine client of a credentials.zip, with a token that it asked for as the tools do. */
export async function authorizationOf(credentials: string): Promise<{ authorization: string }> {
  const treehub: unknown = JSON.parse(readFileSync(join(credentials, "treehub.json"), "utf8"));
  const { oauth2 } = treehub as { oauth2: OAuth2 };
  return requestToken(oauth2, readFileSync(join(credentials, "server_ca.pem"), "utf8"));
}

type OAuth2 = { server: string; client_id: string; client_secret: string; scope: string };

async function requestToken(client: OAuth2, ca: string): Promise<{ authorization: string }> {
  const reply = await send(client.server, {
    ca,
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString("base64")}`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: `grant_type=client_credentials&scope=${client.scope}`,
  });
  if (reply.status !== 200) throw new Error(`no token: ${reply.status} ${reply.body}`);
  return { authorization: `Bearer ${(JSON.parse(reply.body.toString()) as { access_token: string }).access_token}` };
}

export type Sent = { status: number; body: Buffer };

/** One request over a connection of its own. */
export function send(
  url: string,
  { body, ...options }: https.RequestOptions & { body?: Buffer | string },
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const req = https.request(url, { agent: false, ...options }, (res) => {
      buffer(res).then((received) => resolve({ status: res.statusCode ?? 0, body: received }), reject);
    });
    req.on("error", reject);
    req.end(body);
  });
}

/** Pulls a commit with the real `ostree` and has it check every object. @returns what is in it */
export async function pullAndCheck(from: { url: string; commit: string; device: string }): Promise<string> {
  const repo = await pull(from);
  try {
    await run("ostree", [`--repo=${repo}`, "fsck"]);
    return ostree(`--repo=${repo}`, "ls", "-R", from.commit);
  } finally {
    rmSync(dirname(repo), { recursive: true });
  }
}

/** Pulls a commit into a new repository with the real `ostree`, as the device whose files are given. @returns the folder */
export async function pull(from: { url: string; commit: string; device: string; caPem?: string }): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-pull-"));
  const repo = join(folder, "repo");
  const ca = from.caPem === undefined ? join(from.device, "root.crt") : join(folder, "ca.pem");
  if (from.caPem !== undefined) writeFileSync(ca, from.caPem);
  ostree(`--repo=${repo}`, "init", "--mode=archive");
  ostree(`--repo=${repo}`, "config", "set", "core.fsync", "false");
  ostree(`--repo=${repo}`, "remote", "add", "--no-gpg-verify", "door", from.url);
  for (const [option, path] of [
    ["tls-client-cert-path", join(from.device, "client.pem")],
    ["tls-client-key-path", join(from.device, "pkey.pem")],
    ["tls-ca-path", ca],
  ] as const) {
    ostree(`--repo=${repo}`, "config", "set", `remote "door".${option}`, path);
  }
  await run("ostree", [`--repo=${repo}`, "pull", "door", from.commit]);
  return repo;
}

/** The private key of the list of images, of an archive made `--with-targets-key`. */
export function targetsKeyIn(credentials: string): Signer {
  const { keytype, keyval } = JSON.parse(readFileSync(join(credentials, "targets.sec"), "utf8"));
  return signerFromPrivate(keytype, keyval.private);
}

/** The images that a device finds through its door when it walks the whole chain, from the first root on. */
export async function listedFor(system: System, device: string): Promise<readonly string[]> {
  const tls = {
    cert: readFileSync(join(device, "client.pem")),
    key: readFileSync(join(device, "pkey.pem")),
    ca: readFileSync(join(device, "root.crt")),
  };
  const get = (name: string) => send(`${system.door.url}/repo/${name}`, tls);
  let root = verifyInitialRoot((await get("1.root.json")).body, 1);
  for (;;) {
    const next = await get(`${root.signed.version + 1}.root.json`);
    if (next.status !== 200) break;
    root = verifyNextRoot(root, next.body);
  }
  const now = new Date();
  const timestamp = verifyTimestamp({ bytes: (await get("timestamp.json")).body, root, now });
  const snapshot = verifySnapshot({ bytes: (await get("snapshot.json")).body, root, now, timestamp });
  const targets = verifyImageTargets({ bytes: (await get("targets.json")).body, root, now, snapshot });
  return [...targets.signed.targets.keys()];
}

/** What the doors' certificates are to be checked with. */
export const caOf = (device: string) => readFileSync(join(device, "root.crt"), "utf8");
