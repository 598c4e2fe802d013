import type { Actor } from "#lib/authz/actor.ts";
import { can } from "#lib/authz/permissions.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import { parseEventId, readLatestEventId, readMissedEvents } from "#lib/db/event-log.ts";
import { eventStream } from "#lib/http/event-stream.ts";
import type { Console } from "./context.ts";
import { findActor } from "./request.ts";

const MAX_REPLAYED = 1_000;

/** A stream of what changes, from where its reader left off (Last-Event-ID). @throws AppError `request.rate_limited` */
export function followEvents(
  console: Console,
  { ctx, actor, req }: { ctx: BackendCtx; actor: Actor; req: Request },
): Response {
  const lastId = parseEventId(req.headers.get("last-event-id"));
  return eventStream({
    live: console.live,
    namespaceId: ctx.namespaceId,
    owner: actor.kind === "system" ? actor.name : actor.id,
    signal: req.signal,
    log: ctx.log,
    async catchUp() {
      const latestId = await readLatestEventId(ctx.db, ctx.namespaceId);
      const missed =
        lastId === null ? [] : await readMissedEvents(ctx.db, ctx.namespaceId, { lastId, limit: MAX_REPLAYED });
      return { latestId: latestId.toString(), missed };
    },
    async mayContinue() {
      const now = await findActor(console, ctx, req.headers);
      return now !== null && now.kind !== "system" && can(now.role, "event.read");
    },
  });
}
