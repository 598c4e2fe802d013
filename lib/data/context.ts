import { type CookieNames, cookieNames } from "#lib/auth/cookies.ts";
import { type BackendCtx, createBackends } from "#lib/backends/backends.ts";
import type { Relay } from "#lib/backends/relay.ts";
import { loadConfig, requireSecret } from "#lib/config/load.ts";
import { DEFAULT_NAMESPACE } from "#lib/ctx.ts";
import { createLiveEvents, type LiveEvents } from "#lib/data/live-events.ts";
import { createDb } from "#lib/db/client.ts";
import { ensureInstallId } from "#lib/db/install.ts";
import { createMasterKey } from "#lib/keys/master-key.ts";
import { createLog, type Log } from "#lib/log/log.ts";

/** What pages and routes of the console share: one of it a process. */
export type Console = Omit<BackendCtx, "requestId" | "namespaceId"> & {
  readonly live: LiveEvents;
  readonly relay: Relay;
  readonly cookies: CookieNames;
  /** Seals session cookies. */
  readonly authSecret: string;
  dispose(): Promise<void>;
};

/** Next bundles this module more than once (pages and routes are separate layers), so the one instance hangs on the process. */
const SLOT = Symbol.for("gatehouse.console");
type Holder = { [SLOT]?: Promise<Console> | undefined };
const holder = globalThis as Holder; // a slot of our own on the global object, which its type cannot know

/** Made on first use, so that `next build` needs neither settings nor a database. A failed attempt is tried again. */
export function getConsole(): Promise<Console> {
  holder[SLOT] ??= createConsole().catch((error: unknown) => {
    holder[SLOT] = undefined;
    throw error;
  });
  return holder[SLOT];
}

/** Tests bring their own. */
export function installConsole(it: Console): void {
  holder[SLOT] = Promise.resolve(it);
}

/** Ends event streams, then the connections to the database. Nothing to do when nobody has asked for a page yet. */
export async function disposeConsole(): Promise<void> {
  const current = holder[SLOT];
  holder[SLOT] = undefined;
  await (await current)?.dispose();
}

/** The console's log; a plain one while there is no context, because settings are missing or the database is away. */
export async function consoleLog(): Promise<Log> {
  const it = await holder[SLOT]?.catch(() => undefined);
  return it?.log ?? createLog("console", "info");
}

/** The context of one request. */
export function requestCtx(it: Console, requestId: string): BackendCtx {
  return { ...it, log: it.log.child({ requestId }), requestId, namespaceId: DEFAULT_NAMESPACE };
}

async function createConsole(): Promise<Console> {
  const { config, secrets } = loadConfig("console");
  const databaseUrl = requireSecret(secrets, "DATABASE_URL");
  const log = createLog("console", config.LOG_LEVEL);
  const db = createDb(databaseUrl);
  try {
    const installId = await ensureInstallId(db);
    const backends = createBackends(config, secrets);
    const live = await createLiveEvents({ databaseUrl, log });
    return {
      config,
      db,
      log,
      clock: () => new Date(),
      keys: createMasterKey(requireSecret(secrets, "MASTER_KEY")),
      backends,
      relay: backends.relay,
      live,
      cookies: cookieNames(installId, config.publicUrl),
      authSecret: requireSecret(secrets, "NEXTAUTH_SECRET"),
      async dispose() {
        await live.close();
        backends.close();
        await db.$disconnect();
      },
    };
  } catch (error) {
    await db.$disconnect();
    throw error;
  }
}
