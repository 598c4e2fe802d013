import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "#lib/config/load.ts";
import { type Ctx, DEFAULT_NAMESPACE } from "#lib/ctx.ts";
import { createDb } from "#lib/db/client.ts";
import { createMasterKey } from "#lib/keys/master-key.ts";
import { createLog } from "#lib/log/log.ts";

/** A clock that tests turn by hand. */
export type TestClock = { now: Date; advance(milliseconds: number): void };

export function createTestClock(start = new Date()): TestClock {
  const clock: TestClock = {
    now: start,
    advance(milliseconds) {
      clock.now = new Date(clock.now.getTime() + milliseconds);
    },
  };
  return clock;
}

/**
 * A real context on a test database, with its own data folder in the temporary directory.
 *
 * @param options.clock time from here; the real one by default
 * @param options.like a second process of the same install: same folder and master key, its own connections
 */
export function createTestCtx(
  databaseUrl: string,
  options: { clock?: TestClock; settings?: Record<string, string>; like?: Ctx; poolSize?: number } = {},
): Ctx {
  const dataDir = options.like?.config.DATA_DIR ?? mkdtempSync(join(tmpdir(), "gatehouse-test-"));
  const { config } = loadConfig("supervisor", { DATA_DIR: dataDir, LOG_LEVEL: "error", ...options.settings });
  const { clock } = options;
  return {
    config,
    db: createDb(databaseUrl, { poolSize: options.poolSize ?? 5 }),
    log: createLog("test", config.LOG_LEVEL),
    clock: clock === undefined ? () => new Date() : () => clock.now,
    keys: options.like?.keys ?? createMasterKey(randomBytes(32).toString("hex")),
    requestId: randomUUID(),
    namespaceId: options.like?.namespaceId ?? DEFAULT_NAMESPACE,
  };
}
