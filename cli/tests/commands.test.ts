import { execFile } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cleanEnvironment, freshSettings, type RunningInstall, startFixture } from "#cli/tests/running-install.ts";

const PROGRAM = fileURLToPath(new URL("../gatehouse.mjs", import.meta.url));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

describe("the command line", { timeout: 60_000 }, () => {
  let settings: Awaited<ReturnType<typeof freshSettings>>;

  beforeAll(async () => {
    settings = await freshSettings();
  });
  afterAll(() => settings.drop());

  it.each([
    [["no-such-command"]],
    [["token", "delete"]],
    [["token", "create", "--role", "admin"]],
    [["token", "create", "--role", "king", "--name", "n"]],
    [["token", "create", "--role", "admin", "--name", "n", "--expires", "soon"]],
    [["token", "create", "--role", "admin", "--name", "n", "--verbose"]],
    [["client", "create", "--name", "n"]],
    [["client", "create", "--name", "n", "--scope", "treehub:push,everything"]],
    [["client", "create", "--name", "n", "--scope", "treehub:push,treehub:push"]],
    [["client", "create", "--name", "n", "--scope", "repo:read", "--certificate", "/nowhere"]],
    [["client", "create", "--name", "n", "--scope", "repo:read", "--from", "10.0.0.0/33"]],
    [["migrate", "now"]],
    [[]],
  ])("answers %j with the usage and exit code 2", async (words) => {
    const outcome = await gatehouse(words);
    expect(outcome.code).toBe(2);
    expect(outcome.stdout + outcome.stderr).toContain("Usage:");
  });

  it("says in one sentence that the server is down", async () => {
    const outcome = await gatehouse(["token", "create", "--role", "admin", "--name", "ci"]);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr.trim().split("\n")).toEqual([expect.stringContaining("Gatehouse is not running")]);
  });

  it("says which Node it needs when it is started by one that is too old", async () => {
    const pretend = `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"18.20.0"}})`;
    const outcome = await run(process.execPath, ["--import", pretend, PROGRAM, "start"]);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/^Gatehouse needs Node 20\.19 or newer to start; this is Node 18\.20\.0\.\n$/);
  });

  it.runIf(olderNode() !== null)("continues under Node 24 when an older Node starts it", async () => {
    const outcome = await run(olderNode() ?? "", [PROGRAM, "audit", "verify"]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("Gatehouse is not running");
  });

  describe("with an install that runs", () => {
    let install: RunningInstall;

    beforeAll(async () => {
      const services = { name: "services", port: Number(settings.env.SERVICES_PORT), wish: "real" };
      install = startFixture([services], settings.env);
      await install.says("Gatehouse is ready");
    });
    afterAll(async () => {
      install.process.kill("SIGTERM");
      await install.exit;
    });

    it("prints a new token alone on standard output", async () => {
      const outcome = await gatehouse(["token", "create", "--role", "operator", "--name", "ci", "--expires", "30d"]);
      expect(outcome.code).toBe(0);
      expect(outcome.stdout).toMatch(/^gh_[A-Za-z0-9_-]{43}\n$/);
      const [token] = await query(
        'SELECT name, role, "expiresAt" - "createdAt" > interval \'29 days\' AS long FROM api_token',
      );
      expect(token).toEqual({ name: "ci", role: "operator", long: true });
    });

    it("prints a new machine client as JSON alone, with the scopes it was given", async () => {
      const line = "client create --name push --scope treehub:push,repo:read --expires 30d --from 10.0.0.7";
      const words = line.split(" ");
      const outcome = await gatehouse(words);
      expect(outcome.code).toBe(0);
      expect(JSON.parse(outcome.stdout)).toEqual({
        clientId: expect.stringMatching(/^gatehouse-[0-9a-f]{24}$/),
        clientSecret: expect.stringMatching(/^ghs_[A-Za-z0-9_-]{43}$/),
      });
      const { clientId } = JSON.parse(outcome.stdout) as { clientId: string };
      const [client] = await query(
        `SELECT scopes, "sourceNetworks", "expiresAt" - "createdAt" > interval '29 days' AS long FROM machine_client WHERE "clientId" = '${clientId}'`,
      );
      expect(client).toEqual({
        scopes: ["treehub:push", "repo:read"],
        sourceNetworks: ["10.0.0.7/32"],
        long: true,
      });
    });

    it("finds the audit log intact, and altered when an entry was altered", async () => {
      await gatehouse(["token", "create", "--role", "support", "--name", "audited"]);
      expect(await gatehouse(["audit", "verify"])).toMatchObject({ code: 0 });
      await query("UPDATE audit_entry SET \"targetName\" = 'forged' WHERE sequence = 1");
      const outcome = await gatehouse(["audit", "verify"]);
      expect(outcome).toMatchObject({ code: 1, stdout: expect.stringContaining("entry 1") });
    });

    it("writes a device's five files, its key for the owner alone", async () => {
      const folder = path.join(settings.dataDir, "device-1");
      const outcome = await gatehouse(["device", "issue", "--name", "one", "--hardware", "rpi4", "--out", folder]);
      expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining(folder) });
      const names = ["client.pem", "gateway.url", "pkey.pem", "root.crt", "sota.toml"];
      expect((await readdir(folder)).sort()).toEqual(names);
      expect((await stat(path.join(folder, "pkey.pem"))).mode & 0o777).toBe(0o600);
      const certificate = new X509Certificate(await readFile(path.join(folder, "client.pem")));
      expect(certificate.checkPrivateKey(createPrivateKey(await readFile(path.join(folder, "pkey.pem"))))).toBe(true);
      expect(await query("SELECT state FROM device_certificate")).toEqual([{ state: "allowed" }]);
    });

    it("never writes over a device's key, and makes no certificate for a folder it cannot use", async () => {
      const folder = path.join(settings.dataDir, "device-2");
      await mkdir(folder);
      await writeFile(path.join(folder, "pkey.pem"), "precious");
      const outcome = await gatehouse(["device", "issue", "--name", "two", "--hardware", "rpi4", "--out", folder]);
      expect(outcome).toMatchObject({ code: 1, stdout: "" });
      expect(await readFile(path.join(folder, "pkey.pem"), "utf8")).toBe("precious");
      expect(await query("SELECT name FROM device_certificate WHERE name = 'two'")).toEqual([]);
    });

    it("writes a credentials.zip for devices, for its owner alone and over nothing", async () => {
      const file = path.join(settings.dataDir, "credentials.zip");
      const words = ["credentials", "device", "--uses", "2", "--expires", "2d", "--out", file];
      expect(await gatehouse(words)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("autoprov_credentials.p12"),
      });
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect((await readFile(file)).subarray(0, 4).toString("latin1")).toBe("PK\u0003\u0004");
      expect(await gatehouse(words)).toMatchObject({ code: 1, stdout: "" });
      expect(await query('SELECT "usesLeft", policy FROM bootstrap_credential')).toEqual([
        { usesLeft: 2, policy: "pending" },
      ]);
      expect(await gatehouse([...words, "--policy", "maybe"])).toMatchObject({ code: 2 });
    });

    it("writes a credentials.zip for build tools, and warns of the private key in it", async () => {
      const file = path.join(settings.dataDir, "build.zip");
      const words = ["credentials", "build", "--with-targets-key", "--out", file];
      expect(await gatehouse(words)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("targets.sec"),
        stderr: expect.stringContaining("private key"),
      });
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(await query("SELECT name FROM machine_client WHERE name <> 'push'")).toHaveLength(1);
    });

    it("leaves a pending device unknown until it comes to the door", async () => {
      const folder = path.join(settings.dataDir, "device-3");
      const words = ["device", "issue", "--name", "three", "--hardware", "rpi4", "--out", folder, "--pending"];
      expect(await gatehouse(words)).toMatchObject({ code: 0 });
      expect(await query("SELECT name FROM device_certificate WHERE name = 'three'")).toEqual([]);
    });

    it("has nothing to migrate", async () => {
      expect(await gatehouse(["migrate"])).toMatchObject({ code: 0, stdout: "The database is up to date.\n" });
    });

    it("prints a set-up link while nobody can sign in", async () => {
      expect(install.output()).toMatch(new RegExp(`http://localhost:${settings.env.PORT}/setup#token=[\\w-]{43}\\n`));
    });

    async function query(sql: string): Promise<unknown[]> {
      const { findEmbeddedUrl } = await import("#lib/db/embedded.ts");
      const client = new pg.Client({ connectionString: (await findEmbeddedUrl(settings.dataDir)) ?? "" });
      await client.connect();
      try {
        return (await client.query(sql)).rows;
      } finally {
        await client.end();
      }
    }
  });

  it("makes the first admin from the settings instead of a link", async () => {
    const own = await freshSettings();
    const admin = { ADMIN_EMAIL: "first@example.com", ADMIN_PASSWORD: "a long enough password" };
    const install = startFixture([], { ...own.env, ...admin });
    await install.says("Gatehouse is ready");
    expect(install.output()).not.toContain("/setup");
    install.process.kill("SIGTERM");
    await install.exit;
    await own.drop();
  });

  function gatehouse(words: string[]): Promise<Outcome> {
    return run(process.execPath, [PROGRAM, ...words]);
  }

  async function run(node: string, args: string[]): Promise<Outcome> {
    const running = promisify(execFile)(node, args, { env: { ...cleanEnvironment(), ...settings.env } });
    const [code] = await once(running.child, "close");
    const { stdout, stderr } = await running.catch((error: Outcome) => error);
    return { code: code as number, stdout, stderr };
  }
});

/** A system Node that can launch and not run Gatehouse, if there is one. */
function olderNode(): string | null {
  const candidates = ["/usr/bin/node", "/usr/local/bin/node"];
  const found = candidates.find((file) => existsSync(file) && path.resolve(file) !== process.execPath);
  return found ?? null;
}
