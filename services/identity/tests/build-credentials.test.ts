import { randomUUID } from "node:crypto";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashSecretText } from "#lib/auth/secret-text.ts";
import type { CredentialArchive } from "#lib/contracts/console/credentials.ts";
import { requestCtx } from "#lib/data/context.ts";
import { parseCertificate } from "#lib/pki/certificates.ts";
import { signerFromPrivate } from "#lib/uptane/keys.ts";
import { findMachineCredential } from "#services/accounts/service.ts";
import { listAudit } from "#services/audit/service.ts";
import { ensureAuthorities } from "#services/authorities/service.ts";
import { type BuildCtx, buildCredentials } from "#services/identity/service.ts";
import { deletePrivateKey, ensureRepo } from "#services/keyserver/service.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { startTestServices } from "#tests/harness/console-services.ts";
import { actorOf, expectRefusal } from "#tests/harness/identity.ts";

const admin = actorOf("admin");
const WISH = { name: "ci", offlineKeys: false, withTargetsKey: false };
let test: TestConsole;
let ctx: BuildCtx;
let stopServices: () => Promise<void>;

beforeAll(async () => {
  test = await startTestConsole({ TOOLS_URL: "https://tools.example:30444/" });
  stopServices = await startTestServices(test);
  ctx = requestCtx(test.console, randomUUID());
  await ensureAuthorities(ctx);
});
afterAll(async () => {
  await stopServices();
  await test.drop();
});

function open({ archiveBase64 }: CredentialArchive): Record<string, string> {
  const files = unzipSync(Buffer.from(archiveBase64, "base64"));
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [name, Buffer.from(content).toString("utf8")]),
  );
}

async function lastEntry() {
  const { data } = await listAudit(ctx, admin, { limit: 1 });
  return data[0];
}

describe("credentials of build tools", () => {
  it("hold what the tools read, a client of their own and no private key", async () => {
    const { clientId, archive } = await buildCredentials(ctx, admin, WISH);
    const files = open(archive);
    expect(Object.keys(files).sort()).toEqual([
      "api_gateway.url",
      "root.json",
      "server_ca.pem",
      "targets.pub",
      "treehub.json",
      "tufrepo.url",
    ]);
    const { oauth2, ...treehub } = JSON.parse(files["treehub.json"] ?? "");
    expect(treehub).toEqual({ no_auth: false, ostree: { server: "https://tools.example:30444/treehub/api/v3/" } });
    const scope = "treehub:push treehub:read repo:read repo:write";
    expect(oauth2).toMatchObject({ server: "https://tools.example:30444/token", client_id: clientId, scope });
    const client = await findMachineCredential(ctx, { clientId });
    expect(client?.scopes.join(" ")).toBe(scope);
    expect(Buffer.from(client?.secretHash ?? []).equals(hashSecretText(oauth2.client_secret))).toBe(true);
    expect(files["tufrepo.url"]).toBe("https://tools.example:30444/repo");
    const served = await ctx.backends.reposerver.readMetadata(ctx, "root.json");
    expect(files["root.json"]).toBe(served?.toString("utf8"));
    const root = JSON.parse(files["root.json"] ?? "").signed;
    expect(JSON.parse(files["targets.pub"] ?? "")).toEqual(root.keys[root.roles.targets.keyids[0]]);
    expect(parseCertificate(files["server_ca.pem"] ?? "").isCa).toBe(true);
    expect(await lastEntry()).toMatchObject({
      action: "credentials.build",
      after: { clientId, withTargetsKey: false },
    });
  });

  it("hold the private targets key only when it is asked for, and the audit log says so", async () => {
    const { archive } = await buildCredentials(ctx, admin, { ...WISH, name: "signing", withTargetsKey: true });
    expect(archive.entries).toContainEqual({ name: "targets.sec", readBy: expect.stringContaining("PRIVATE") });
    const files = open(archive);
    const pub = JSON.parse(files["targets.pub"] ?? "");
    const sec = JSON.parse(files["targets.sec"] ?? "");
    expect(Object.keys(sec.keyval)).toEqual(["private"]);
    expect(signerFromPrivate(sec.keytype, sec.keyval.private).publicKey).toEqual(pub);
    const entry = await lastEntry();
    expect(entry).toMatchObject({ action: "credentials.build", after: { withTargetsKey: true } });
    expect(JSON.stringify(entry)).not.toContain(sec.keyval.private);
  });

  it("let tools take keys offline only when that is asked for", async () => {
    const { clientId } = await buildCredentials(ctx, admin, { ...WISH, name: "keys", offlineKeys: true });
    expect((await findMachineCredential(ctx, { clientId }))?.scopes).toContain("keys:offline");
  });

  it("are made by admins only", async () => {
    for (const role of ["support", "operator"] as const) {
      await expectRefusal(buildCredentials(ctx, actorOf(role), WISH), "auth.forbidden");
    }
  });

  it("are refused, before a client is made, with a targets key that is offline", async () => {
    const { repoId } = await ensureRepo(ctx, "image");
    const root = JSON.parse((await ctx.backends.reposerver.readMetadata(ctx, "root.json"))?.toString("utf8") ?? "");
    await deletePrivateKey(ctx, repoId, root.signed.roles.targets.keyids[0]);
    const before = (await lastEntry())?.sequence;
    const build = buildCredentials(ctx, admin, { ...WISH, name: "late", withTargetsKey: true });
    await expectRefusal(build, "request.conflict");
    expect((await lastEntry())?.sequence).toBe(before);
    expect(Object.keys(open((await buildCredentials(ctx, admin, { ...WISH, name: "without" })).archive))).not.toContain(
      "targets.sec",
    );
  });
});
