import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requestCtx } from "#lib/data/context.ts";
import { publishEvent } from "#lib/db/events.ts";
import { signOut } from "#services/accounts/service.ts";
import { loadApiRoutes } from "#tests/harness/api-routes.ts";
import { startTestConsole, type TestConsole } from "#tests/harness/console.ts";
import { serveRoutes } from "#tests/harness/console-http.ts";
import { openEventSource, type SentEvent } from "#tests/harness/event-source.ts";

let test: TestConsole;
let server: Awaited<ReturnType<typeof serveRoutes>>;

beforeAll(async () => {
  test = await startTestConsole();
  const events = (await loadApiRoutes()).find(({ path }) => path === "/api/v1/events")?.handlers.GET;
  server = await serveRoutes(test, () => events);
});
afterAll(async () => {
  await server.close();
  await test.drop();
});

const publish = (subjectId: string, namespaceId = "default") =>
  publishEvent(test.console.db, namespaceId, { topic: "device", subjectId });
const open = (headers: Record<string, string> = {}) =>
  openEventSource(`${server.url}/api/v1/events`, { authorization: `Bearer ${test.tokens.support}`, ...headers });
const about = (subjectId: string) => (event: SentEvent) =>
  event.data === JSON.stringify({ topic: "device", subjectId });
const isNamed = (name: string) => (event: SentEvent) => event.event === name;

describe("the event stream", () => {
  it("tells what changes, as it changes, with an id to come back with", async () => {
    const stream = await open();
    await stream.next(isNamed("ready"));
    await publish("first");
    const event = await stream.next(about("first"));
    expect(event?.id).toMatch(/^\d+$/);
    stream.close();
  });

  it("gives a reader that comes back what it missed, and loses nothing that happens meanwhile", async () => {
    const first = await open();
    await first.next(isNamed("ready"));
    await publish("seen");
    const seen = await first.next(about("seen"));
    first.close();
    await publish("missed");
    const opening = open({ "last-event-id": seen?.id ?? "" });
    await publish("meanwhile");
    const second = await opening;
    expect(await second.next(about("missed"))).not.toBeNull();
    expect(await second.next(about("meanwhile"))).not.toBeNull();
    second.close();
  });

  it("says reset when too much was missed to tell it all, or nobody knows any more what", async () => {
    await test.console.db.consoleEvent.createMany({
      data: Array.from({ length: 1_300 }, (_none, n) => ({
        namespaceId: "default",
        topic: "device",
        subjectId: `${n}`,
      })),
    });
    const tooMuch = await open({ "last-event-id": "1" });
    expect(await tooMuch.next(isNamed("reset"))).not.toBeNull();
    tooMuch.close();
    const latest = await test.console.db.consoleEvent.findFirstOrThrow({ orderBy: { id: "desc" } });
    await test.console.db.consoleEvent.deleteMany({ where: { id: { lt: latest.id } } });
    const pruned = await open({ "last-event-id": String(latest.id - 100n) });
    expect(await pruned.next(isNamed("reset"))).not.toBeNull();
    pruned.close();
  });

  it("says reset when the connection that hears of changes was lost, since nobody knows what was missed", async () => {
    const stream = await open();
    await stream.next(isNamed("ready"));
    await test.console.db.$queryRaw`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND query LIKE 'LISTEN%'`;
    expect(await stream.next(isNamed("reset"))).not.toBeNull();
    await publish("after");
    expect(await stream.next(about("after"))).not.toBeNull();
    stream.close();
  });

  it("takes an id that is none for a first visit", async () => {
    const stream = await open({ "last-event-id": "'; DROP TABLE" });
    expect(await stream.next(isNamed("ready"))).not.toBeNull();
    stream.close();
  });

  it("tells nothing of another environment", async () => {
    const stream = await open();
    await stream.next(isNamed("ready"));
    await publish("foreign", "other");
    await publish("own");
    const next = await stream.next((event) => event.event === "message");
    expect(next?.data).toContain("own");
    stream.close();
  });

  it("ends with the session it was opened by, without waiting for the next heartbeat", async () => {
    const { cookie, userId, sessionId } = await test.session("support");
    const stream = await openEventSource(`${server.url}/api/v1/events`, { cookie });
    await stream.next(isNamed("ready"));
    await signOut(requestCtx(test.console, "test"), { userId, sessionId }, "192.0.2.1");
    expect(await stream.next(isNamed("heartbeat"))).toBeNull();
  });

  it("has room for a few of one reader and refuses more", async () => {
    const streams = await Promise.all(Array.from({ length: 22 }, () => open()));
    expect(streams.filter(({ status }) => status === 429)).toHaveLength(2);
    for (const stream of streams) stream.close();
  });
});
