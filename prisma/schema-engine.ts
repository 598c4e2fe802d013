import type { EventEmitter } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { PrismaPg } from "@prisma/adapter-pg";
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from "@prisma/driver-adapter-utils";
import * as engineModule from "@prisma/schema-engine-wasm/schema_engine_bg";
import { Client, Pool } from "pg";

export interface OpenEngine {
  readonly engine: engineModule.SchemaEngine;
  /** What PostgreSQL said last against a script; the engine's own errors leave it out. */
  lastSqlError(): unknown;
  close(): Promise<void>;
}

/** Prisma's schema engine as WebAssembly, bound to one database: it comes with npm, so migrations need no download. */
export async function openSchemaEngine(databaseUrl: string): Promise<OpenEngine> {
  await loadEngine();
  const factory = new WholeScriptFactory(databaseUrl);
  const ignoreEngineLog = () => undefined;
  const bound = bindMigrationAwareSqlAdapterFactory(factory);
  return {
    engine: await engineModule.SchemaEngine.new({ datamodels: undefined }, ignoreEngineLog, bound),
    lastSqlError: () => factory.lastError,
    close: () => factory.close(),
  };
}

let loading: Promise<void> | undefined;

function loadEngine(): Promise<void> {
  loading ??= instantiate();
  return loading;
}

async function instantiate(): Promise<void> {
  // The engine reports its panics here; without it they turn into a TypeError that hides them.
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: {
      set_message(message: string) {
        throw new Error(message);
      },
    },
  });
  const glue = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
  const wasmPath = path.join(path.dirname(glue), "schema_engine_bg.wasm");
  const { instance } = await WebAssembly.instantiate(await readFile(wasmPath), {
    "./schema_engine_bg.js": withUnheldTimers(engineModule as unknown as WebAssembly.ModuleImports),
  });
  // The package's typings leave out the loader's two hooks, which its own bundler entry calls in this order.
  const loader = engineModule as unknown as { __wbg_set_wasm(exports: WebAssembly.Exports): void };
  loader.__wbg_set_wasm(instance.exports);
  const start = instance.exports.__wbindgen_start;
  if (typeof start === "function") start();
}

/** The engine leaves a ten-second timer behind, which must not keep a finished process alive. */
function withUnheldTimers(imports: WebAssembly.ModuleImports): WebAssembly.ModuleImports {
  const entries = Object.entries(imports).map(([name, imported]) => {
    if (!name.startsWith("__wbg_setTimeout_") || typeof imported !== "function") return [name, imported] as const;
    const unheld = (...args: unknown[]) => {
      const timer: unknown = imported(...args);
      if (timer instanceof Object && "unref" in timer && typeof timer.unref === "function") timer.unref();
      return timer;
    };
    return [name, unheld] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * The engine notes success after the script's transaction; a kill in between would leave an applied migration marked as
 * failed. Noted inside the transaction, "started, not finished" always means "not applied".
 */
const RECORD_SUCCESS = `
DO $record$ BEGIN
  IF to_regclass('_prisma_migrations') IS NOT NULL THEN
    UPDATE _prisma_migrations SET finished_at = now() WHERE finished_at IS NULL AND rolled_back_at IS NULL;
  END IF;
END $record$`;

/**
 * Prisma's own adapter cuts a script at every semicolon, also inside function bodies and texts, and runs the pieces
 * one by one. Sent as one simple query a migration is one transaction: it is applied whole or not at all.
 */
class WholeScriptFactory implements SqlMigrationAwareDriverAdapterFactory {
  readonly provider = "postgres";
  readonly adapterName = "@prisma/adapter-pg";
  lastError: unknown;
  private readonly databaseUrl: string;
  private readonly pools: Pool[] = [];

  constructor(databaseUrl: string) {
    this.databaseUrl = databaseUrl;
  }

  connect(): Promise<SqlDriverAdapter> {
    return this.open(this.databaseUrl);
  }

  /** A database of its own for replaying migrations; dropped when the engine is done with it. */
  async connectToShadowDb(): Promise<SqlDriverAdapter> {
    const name = `gatehouse_shadow_${globalThis.crypto.randomUUID().replaceAll("-", "")}`;
    await this.execute(`CREATE DATABASE "${name}"`);
    const shadowUrl = new URL(this.databaseUrl);
    shadowUrl.pathname = `/${name}`;
    const adapter = await this.open(shadowUrl.href);
    adapter.dispose = () => this.execute(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    return adapter;
  }

  async close(): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.end()));
  }

  private async open(url: string): Promise<SqlDriverAdapter> {
    const pool = new CatalogPool(url);
    pool.on("error", () => undefined); // the shadow database is dropped under its idle connection
    this.pools.push(pool);
    const adapter = await new PrismaPg(pool).connect();
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = async (query) => {
      pool.charColumns = [];
      const rows = await queryRaw(query);
      for (const index of pool.charColumns) rows.columnTypes[index] = ColumnTypeEnum.Character;
      return rows;
    };
    adapter.executeScript = async (script) => {
      try {
        await pool.query(`${script}\n;${url === this.databaseUrl ? RECORD_SUCCESS : ""}`);
      } catch (error) {
        this.lastError = error;
        throw error;
      }
    };
    return adapter;
  }

  private async execute(sql: string): Promise<void> {
    const client = new Client({ connectionString: this.databaseUrl });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }
}

/** PostgreSQL's internal one-byte type `"char"`, which its catalogue uses and Prisma's adapter does not know. */
const CHAR_OID = 18;
const TEXT_OID = 25;

/**
 * Makes `"char"` columns readable: the adapter is told they are text, the engine that they are characters. One
 * connection, so one query at a time: `charColumns` belongs to the reply that was read last.
 */
class CatalogPool extends Pool {
  charColumns: number[] = [];

  constructor(connectionString: string) {
    super({ connectionString, max: 1 });
    this.on("connect", (client) => {
      const { connection } = client as unknown as { connection: EventEmitter };
      connection.prependListener("rowDescription", ({ fields }: { fields: { dataTypeID: number }[] }) => {
        this.charColumns = fields.flatMap((field, index) => (field.dataTypeID === CHAR_OID ? [index] : []));
        for (const field of fields) if (field.dataTypeID === CHAR_OID) field.dataTypeID = TEXT_OID;
      });
    });
  }
}
