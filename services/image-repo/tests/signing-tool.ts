import { type Signer, signerFromPrivate } from "#lib/uptane/keys.ts";
import { type GarageSign, openRepository } from "#tests/garage-sign/client.ts";
import { authorization } from "./harness.ts";
import { clock, ctx, server } from "./stand.ts";

/** A signing tool at a services process; `url` when something stands in between. */
export function openTool(url = server.url, namespace = "default"): GarageSign {
  return openRepository({
    repoUrl: url,
    headers: () => ({ authorization, "x-ats-namespace": namespace }),
    reach: (uri) => uri.replace(`${ctx.config.toolsUrl}/repo`, url),
    now: () => clock.now,
    backOffMs: 1,
  });
}

/** A tool that has pulled root and targets. */
export async function openPulled(): Promise<GarageSign> {
  const tool = openTool();
  await tool.rootPull();
  await tool.targetsPull();
  return tool;
}

/** The private key of a role, which stays here. */
export async function borrowKey(role: string): Promise<Signer> {
  const { signed } = await (await server.call("/root.json")).json();
  const reply = await server.call(`/root/private_keys/${signed.roles[role].keyids[0]}`);
  const { keytype, keyval } = await reply.json();
  return signerFromPrivate(keytype, keyval.private);
}

export async function deleteKey(role: string): Promise<void> {
  const { signed } = await (await server.call("/root.json")).json();
  const path = `/root/private_keys/${signed.roles[role].keyids[0]}`;
  const { status } = await server.call(path, { method: "DELETE" });
  if (status !== 200) throw new Error(`${path}: ${status}`);
}

export const COMMIT = "c".repeat(64);
/** As garage-deploy lists a commit. */
export const ostreeTarget = (version: string) => ({
  ...{ name: "os", version, hardwareIds: ["rpi4"], format: "OSTREE" as const, sha256: COMMIT, length: 0 },
  uri: "https://treehub.example/",
});
