import { z } from "zod";
import { EVENTS_CHANNEL } from "#lib/db/events.ts";
import { listen } from "#lib/db/listen.ts";
import type { Log } from "#lib/log/log.ts";

const Message = z.object({ id: z.string(), ns: z.string(), topic: z.string(), subjectId: z.string() });
export type LiveEvent = z.infer<typeof Message>;

export type Subscriber = {
  onEvent(event: LiveEvent): void;
  /** Announcements may have been missed: catch up from the table. */
  onGap(): void;
  onClose(): void;
};

/** One LISTEN connection of the process, shared by all open event streams. */
export type LiveEvents = {
  /** False while the connection is lost. */
  connected(): boolean;
  /**
   * @param owner each has a few, so that one cannot use up what all share
   * @returns how to end it; null when there are too many
   */
  subscribe(owner: string, subscriber: Subscriber): (() => void) | null;
  close(): Promise<void>;
};

const MAX_SUBSCRIBERS = 1_000;
const MAX_OF_ONE_OWNER = 20;

export async function createLiveEvents(options: { databaseUrl: string; log: Log }): Promise<LiveEvents> {
  const subscribers = new Map<Subscriber, string>();
  const listener = await listen({
    ...options,
    channels: [EVENTS_CHANNEL],
    onNotify(_channel, payload) {
      const event = parseMessage(payload);
      if (event === null) return;
      for (const subscriber of subscribers.keys()) subscriber.onEvent(event);
    },
    onReconnect() {
      for (const subscriber of subscribers.keys()) subscriber.onGap();
    },
  });
  return {
    connected: () => listener.connected(),
    subscribe(owner, subscriber) {
      const own = [...subscribers.values()].filter((other) => other === owner).length;
      if (subscribers.size >= MAX_SUBSCRIBERS || own >= MAX_OF_ONE_OWNER) return null;
      subscribers.set(subscriber, owner);
      return () => subscribers.delete(subscriber);
    },
    async close() {
      for (const subscriber of [...subscribers.keys()]) subscriber.onClose();
      subscribers.clear();
      await listener.close();
    },
  };
}

function parseMessage(payload: string): LiveEvent | null {
  try {
    return Message.parse(JSON.parse(payload));
  } catch {
    return null; // NOTIFY is open to whoever has the database; what is not ours is nobody's event
  }
}
