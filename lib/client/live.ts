import type { QueryClient } from "@tanstack/react-query";
import { AREAS_OF_TOPIC } from "./keys.ts";
import { followStream, type StreamState } from "./live-stream.ts";

const CHANNEL = "gatehouse-live";
const FLUSH_EVERY_MS = 500;
const POLL_EVERY_MS = 15_000;

export type LiveState = { state: StreamState; heardAt: number };

type Message =
  | { kind: "change"; topic: string }
  | { kind: "catch-up" }
  | ({ kind: "state" } & LiveState)
  | { kind: "hello" };

export type Live = {
  subscribe: (listener: () => void) => () => void;
  snapshot: () => LiveState;
  stop: () => void;
};

/**
 * Keeps what is on the screen up to date. One tab of the browser holds the event stream (HTTP/1.1 gives an origin six connections,
 * so a stream a tab would starve them) and passes what it hears to the others; when it closes, another takes the lock and the stream.
 *
 * Events only say what changed: the pages ask again for what they show, at most twice a second and never faster than answers come.
 * While no stream can be had, pages poll.
 */
export function startLive(queryClient: QueryClient): Live {
  const listeners = new Set<() => void>();
  let current: LiveState = { state: "connecting", heardAt: Date.now() };
  const refresher = createRefresher(queryClient);
  const channel = new BroadcastChannel(CHANNEL);
  const closing = new AbortController();
  let leading = false;
  let caughtUp = false;

  const take = (message: Message) => {
    if (message.kind === "change") refresher.changed(AREAS_OF_TOPIC[message.topic] ?? [message.topic]);
    if (message.kind === "catch-up") refresher.everything();
    if (message.kind === "state") {
      // What happened between the page's rendering and its first word from the stream would else stay unseen.
      if (message.state === "live" && !caughtUp) refresher.everything();
      caughtUp ||= message.state === "live";
      current = { state: message.state, heardAt: message.heardAt };
      for (const listener of listeners) listener();
    }
  };
  const tell = (message: Message) => {
    take(message);
    channel.postMessage(message);
  };

  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data.kind === "hello") {
      if (leading) channel.postMessage({ kind: "state", ...current } satisfies Message);
    } else if (!leading) take(data);
  };
  channel.postMessage({ kind: "hello" } satisfies Message);

  const lead = () => {
    leading = true;
    return followStream({
      signal: closing.signal,
      resumes: caughtUp,
      onChange: (topic) => tell({ kind: "change", topic }),
      onGap: () => tell({ kind: "catch-up" }),
      onState: (state, heardAt) => tell({ kind: "state", state, heardAt }),
    });
  };
  // Web Locks exist in secure contexts only; over plain HTTP to another host every tab holds its own stream.
  if (navigator.locks === undefined) void lead();
  else navigator.locks.request(CHANNEL, { signal: closing.signal }, lead).catch(ignoreAbort);

  const polling = setInterval(() => {
    if (current.state === "stale") refresher.everything();
  }, POLL_EVERY_MS);

  return {
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    snapshot: () => current,
    stop: () => {
      closing.abort();
      clearInterval(polling);
      refresher.stop();
      channel.close();
    },
  };
}

/** Collects what changed and refetches it: hidden tabs wait until somebody looks, slow back ends are not asked faster than they answer. */
function createRefresher(queryClient: QueryClient) {
  const due = new Set<string>();
  let all = false;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let busy = false;

  const flush = async () => {
    timer = null;
    if (busy || document.hidden) return;
    busy = true;
    const areas = [...due];
    const filter = all
      ? {}
      : { predicate: ({ queryKey }: { queryKey: readonly unknown[] }) => areas.includes(String(queryKey[0])) };
    due.clear();
    all = false;
    try {
      await queryClient.invalidateQueries(filter, { cancelRefetch: false });
    } finally {
      busy = false;
      if (due.size > 0 || all) schedule();
    }
  };
  const schedule = () => {
    timer ??= setTimeout(() => void flush(), FLUSH_EVERY_MS);
  };
  const onVisible = () => {
    if (!document.hidden && (due.size > 0 || all)) schedule();
  };
  document.addEventListener("visibilitychange", onVisible);

  return {
    changed: (areas: readonly string[]) => {
      for (const area of areas) due.add(area);
      schedule();
    },
    everything: () => {
      all = true;
      schedule();
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    },
  };
}

function ignoreAbort(error: unknown) {
  if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
}
