import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "#lib/db/embedded.ts";
import { endOrphan } from "#lib/db/embedded-orphan.ts";
import { applyMigrations } from "#prisma/migrate.ts";
import { TEMPLATE_DATABASE } from "#tests/harness/database.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A server on which tests may create databases. */
    databaseServerUrl: string;
  }
}

const FOLDER_PREFIX = "gatehouse-tests-";

/** One PostgreSQL for the whole run, with the migrated template that every test database is a copy of. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = await chooseServer();
  try {
    await makeTemplate(server.url);
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("databaseServerUrl", server.url);
  return server.stop;
}

async function chooseServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const external = process.env.TEST_DATABASE_URL;
  if (external) return { url: external, stop: async () => undefined };
  await endLeftovers();
  const dataDir = await mkdtemp(path.join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  const postgres = await startEmbeddedPostgres({ dataDir, notice: console.error, durable: false });
  return {
    url: postgres.url,
    async stop() {
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A run that was killed leaves its server behind: each new run ends those whose run is gone. */
async function endLeftovers(): Promise<void> {
  const folders = (await readdir(tmpdir())).filter((name) => name.startsWith(FOLDER_PREFIX));
  for (const folder of folders) {
    const runPid = Number(folder.slice(FOLDER_PREFIX.length).split("-")[0]);
    if (isAlive(runPid)) continue;
    const dataDir = path.join(tmpdir(), folder);
    await endOrphan(path.join(dataDir, "postgres"), () => undefined).catch(() => undefined);
    await rm(dataDir, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function makeTemplate(serverUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS ${TEMPLATE_DATABASE} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${TEMPLATE_DATABASE} TEMPLATE template0`);
    const url = new URL(serverUrl);
    url.pathname = `/${TEMPLATE_DATABASE}`;
    await applyMigrations(url.href);
  } finally {
    await client.end();
  }
}
