import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cookieNames } from "#lib/auth/cookies.ts";
import { sealSessionToken } from "#lib/auth/session-cookie.ts";
import { SHELL, SYSTEM } from "#lib/authz/actor.ts";
import { ROLES, type Role } from "#lib/authz/permissions.ts";
import { createBackends } from "#lib/backends/backends.ts";
import { loadConfig } from "#lib/config/load.ts";
import { type Console, disposeConsole, installConsole, requestCtx } from "#lib/data/context.ts";
import { createLiveEvents } from "#lib/data/live-events.ts";
import { createDb } from "#lib/db/client.ts";
import { ensureInstallId } from "#lib/db/install.ts";
import { createMasterKey } from "#lib/keys/master-key.ts";
import { createLog } from "#lib/log/log.ts";
import { createServiceToken, createUser, SESSION_SECONDS, signIn } from "#services/accounts/service.ts";
import { createTestDatabase } from "./database.ts";
import { freePort } from "./free-port.ts";

export const PUBLIC_URL = "http://console.test";
const PASSWORD = "a long enough password";

/** The console without Next: its context on a database of its own, and callers of every kind. */
export type TestConsole = {
  readonly console: Console;
  readonly servicesToken: string;
  readonly servicesPort: number;
  /** A service token of each role. */
  readonly tokens: Record<Role, string>;
  /** Signs a user of this role in. @returns the Cookie header, and who it is */
  session(role: Role): Promise<{ cookie: string; userId: string; sessionId: string }>;
  drop(): Promise<void>;
};

/** @param settings on top of the defaults; back ends are on a port where nobody listens until a test starts them there */
export async function startTestConsole(settings: Record<string, string> = {}): Promise<TestConsole> {
  const database = await createTestDatabase();
  const servicesPort = await freePort();
  const servicesToken = randomBytes(32).toString("hex");
  const masterKey = randomBytes(32).toString("hex");
  const authSecret = randomBytes(32).toString("hex");
  const { config, secrets } = loadConfig("console", {
    DATA_DIR: mkdtempSync(join(tmpdir(), "gatehouse-console-")),
    LOG_LEVEL: "error",
    PUBLIC_URL,
    SERVICES_PORT: String(servicesPort),
    DATABASE_URL: database.url,
    NEXTAUTH_SECRET: authSecret,
    MASTER_KEY: masterKey,
    SERVICES_TOKEN: servicesToken,
    ...settings,
  });
  const log = createLog("test", "silent");
  const db = createDb(database.url, { poolSize: 5 });
  const live = await createLiveEvents({ databaseUrl: database.url, log });
  const backends = createBackends(config, secrets);
  const console: Console = {
    config,
    db,
    log,
    clock: () => new Date(),
    keys: createMasterKey(masterKey),
    backends,
    relay: backends.relay,
    live,
    cookies: cookieNames(await ensureInstallId(db), PUBLIC_URL),
    authSecret,
    async dispose() {
      await live.close();
      backends.close();
      await db.$disconnect();
    },
  };
  installConsole(console);
  const ctx = requestCtx(console, randomUUID());
  const token = (role: Role) => createServiceToken(ctx, SHELL, { name: role, role, expiresAt: null });
  const made = await Promise.all(ROLES.map(async (role) => [role, (await token(role)).token] as const));
  return {
    console,
    servicesToken,
    servicesPort,
    tokens: Object.fromEntries(made) as Record<Role, string>, // made from ROLES, so each is there
    async session(role) {
      const email = `${role}-${randomUUID()}@example.com`;
      await createUser(ctx, SYSTEM, { email, name: role, role, password: PASSWORD });
      const ref = await signIn(ctx, { email, password: PASSWORD, address: "192.0.2.1", userAgent: null });
      const sealed = await sealSessionToken(ref, authSecret, SESSION_SECONDS);
      return { cookie: `${console.cookies.session}=${sealed}`, ...ref };
    },
    async drop() {
      await disposeConsole();
      await database.drop();
    },
  };
}
