import type { LiveEvents } from "#lib/data/live-events.ts";
import type { StoredEvent } from "#lib/db/event-log.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { Log } from "#lib/log/log.ts";

const HEARTBEAT_MS = 15_000;
/** A reader this far behind is not reading: it is let go, and comes back with its last id. */
const MAX_QUEUED = 2_000;

export type EventStreamParts = {
  live: LiveEvents;
  namespaceId: string;
  /** Whose stream: each has a few. */
  owner: string;
  signal: AbortSignal;
  log: Log;
  /** What was missed before: events to send again, or null when it is too much and the page must ask for everything. */
  catchUp: () => Promise<{ latestId: string; missed: StoredEvent[] | null }>;
  /** Whether who opened it may still read. */
  mayContinue: () => Promise<boolean>;
};

/**
 * Changes as server-sent events: `data: {topic, subjectId}` with the event's id, `event: reset` when something may have been missed,
 * `event: heartbeat` every 15 s. The session is asked again with each heartbeat and whenever an account changes; when it is over,
 * so is the stream.
 *
 * @throws AppError `request.rate_limited` when there are too many streams
 */
export function eventStream(parts: EventStreamParts): Response {
  const encoder = new TextEncoder();
  let end: () => void = () => undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        end = follow(parts, {
          send(text) {
            if ((controller.desiredSize ?? 0) < -MAX_QUEUED) end();
            else controller.enqueue(encoder.encode(text));
          },
          close: () => controller.close(),
        });
      },
      cancel: () => end(),
    },
    new CountQueuingStrategy({ highWaterMark: 1 }),
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-store, no-transform",
      "x-accel-buffering": "no",
    },
  });
}

type Sink = { send(text: string): void; close(): void };

function follow(parts: EventStreamParts, sink: Sink): () => void {
  let ended = false;
  /** Events that come while the missed ones are read; null once they flow straight through. */
  let held: StoredEvent[] | null = [];
  const deliver = (event: StoredEvent) => {
    if (held === null) sink.send(toMessage(event));
    else held.push(event);
  };
  const unsubscribe = parts.live.subscribe(parts.owner, {
    onEvent(event) {
      if (ended || event.ns !== parts.namespaceId) return;
      deliver(event);
      if (event.topic === "account") void check();
    },
    onGap: () => !ended && sink.send(RESET),
    onClose: () => end(),
  });
  if (unsubscribe === null) {
    throw new AppError("request.rate_limited", "Too many event streams are open. Close a window.", {
      detail: { retryAfterSeconds: 30 },
    });
  }
  const timer = setInterval(() => {
    sink.send(HEARTBEAT);
    void check();
  }, HEARTBEAT_MS);
  parts.signal.addEventListener("abort", () => end(), { once: true });
  void begin();

  async function begin(): Promise<void> {
    try {
      const { latestId, missed } = await parts.catchUp();
      if (ended) return;
      sink.send(`retry: 2000\nid: ${latestId}\nevent: ready\ndata: {}\n\n`);
      if (missed === null) sink.send(RESET);
      for (const event of [...(missed ?? []), ...(held ?? [])]) sink.send(toMessage(event));
      held = null;
    } catch (err) {
      parts.log.warn({ err }, "an event stream could not catch up");
      end();
    }
  }

  async function check(): Promise<void> {
    const may = await parts.mayContinue().catch((err: unknown) => {
      parts.log.warn({ err }, "an event stream's session could not be asked");
      return false;
    });
    if (!may) end();
  }

  function end(): void {
    if (ended) return;
    ended = true;
    clearInterval(timer);
    unsubscribe?.();
    try {
      sink.close();
    } catch {
      // the reader cancelled first: the stream is closed already
    }
  }
  return end;
}

const HEARTBEAT = "event: heartbeat\ndata: {}\n\n";
const RESET = "event: reset\ndata: {}\n\n";

function toMessage({ id, topic, subjectId }: StoredEvent): string {
  return `id: ${id}\ndata: ${JSON.stringify({ topic, subjectId })}\n\n`;
}
