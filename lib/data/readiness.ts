import type { BackendCall } from "#lib/backends/http.ts";
import { DEFAULT_NAMESPACE } from "#lib/ctx.ts";
import { pingDatabase } from "#lib/db/ping.ts";
import { type Console, consoleLog, getConsole } from "./context.ts";

const DATABASE_WITHIN_MS = 2_000;

type Dependency = { ok: boolean; needed: boolean; error: string | null };
export type Readiness = { status: "ready" | "not_ready"; dependencies: Record<string, Dependency> };

/** Each dependency by name and state. An external back end that is down takes away panels, not the console, so it is not needed. */
export async function checkReadiness(): Promise<Readiness> {
  let it: Console;
  try {
    it = await getConsole();
  } catch (err) {
    (await consoleLog()).warn({ err }, "not ready: the console has no context");
    return summarise({ database: { ok: false, needed: true, error: "The database does not answer." } });
  }
  const call = { namespaceId: DEFAULT_NAMESPACE, requestId: crypto.randomUUID() };
  const [database, backends] = await Promise.all([checkDatabase(it), it.backends.probe(call)]);
  const storage = it.config.S3_BUCKET === undefined ? {} : { object_storage: await checkStorage(it, call) };
  const listening = it.live.connected();
  return summarise({
    database,
    ...storage,
    notifications: { ok: listening, needed: true, error: listening ? null : "The connection for changes is lost." },
    ...Object.fromEntries(
      backends.map(({ name, isExternal, ok, error }) => [
        name.replaceAll(" ", "_"),
        { ok, needed: !isExternal, error },
      ]),
    ),
  });
}

async function checkDatabase(it: Console): Promise<Dependency> {
  try {
    await pingDatabase(it.db, DATABASE_WITHIN_MS);
    return { ok: true, needed: true, error: null };
  } catch (err) {
    it.log.warn({ err }, "not ready: the database does not answer");
    return { ok: false, needed: true, error: "The database does not answer." };
  }
}

/** Asked of the services: only they have its key. */
async function checkStorage(it: Console, call: BackendCall): Promise<Dependency> {
  try {
    await it.backends.checkStorage(call);
    return { ok: true, needed: true, error: null };
  } catch (err) {
    it.log.warn({ err }, "not ready: the object storage can't be used");
    return { ok: false, needed: true, error: "The services can't use their object storage." };
  }
}

function summarise(dependencies: Record<string, Dependency>): Readiness {
  const ready = Object.values(dependencies).every(({ ok, needed }) => ok || !needed);
  return { status: ready ? "ready" : "not_ready", dependencies };
}
