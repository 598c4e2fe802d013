export type StreamState = "connecting" | "live" | "reconnecting" | "stale";

type Follow = {
  signal: AbortSignal;
  /** Another tab held the stream before: events may have passed between the two. */
  resumes: boolean;
  onChange: (topic: string) => void;
  /** Something may have been missed: ask for everything again. */
  onGap: () => void;
  onState: (state: StreamState, heardAt: number) => void;
};

/** The server sends a heartbeat every 15 s; two missed ones and a bit mean that the connection is dead though nobody said so. */
const SILENCE_MS = 40_000;
const STALE_AFTER_TRIES = 3;
const LONGEST_WAIT_MS = 30_000;

/** Follows the console's events until the signal aborts. Reconnects with a growing wait; says when events may have been missed. */
export async function followStream(follow: Follow): Promise<void> {
  let heardAt = Date.now();
  let tries = follow.resumes ? 1 : 0;
  const { signal } = follow;
  while (!signal.aborted) {
    const outcome = await listen({
      ...follow,
      onHeard: () => {
        heardAt = Date.now();
        if (tries > 0) follow.onGap();
        tries = 0;
        follow.onState("live", heardAt);
      },
    });
    if (outcome === "aborted") return;
    tries += 1;
    follow.onState(tries >= STALE_AFTER_TRIES ? "stale" : "reconnecting", heardAt);
    await wait(Math.min(LONGEST_WAIT_MS, 1_000 * 2 ** (tries - 1)), signal);
  }
}

function listen({ signal, onChange, onGap, onHeard }: Follow & { onHeard: () => void }): Promise<"lost" | "aborted"> {
  const { promise, resolve } = Promise.withResolvers<"lost" | "aborted">();
  const source = new EventSource("/api/v1/events");
  let silence: ReturnType<typeof setTimeout> | undefined;
  const end = (outcome: "lost" | "aborted") => {
    clearTimeout(silence);
    signal.removeEventListener("abort", onAbort);
    source.close();
    resolve(outcome);
  };
  const onAbort = () => end("aborted");
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => end("lost"), SILENCE_MS);
    onHeard();
  };
  signal.addEventListener("abort", onAbort);
  source.onopen = heard;
  source.onerror = () => end("lost");
  source.onmessage = (event: MessageEvent<string>) => {
    heard();
    const topic = topicOf(event.data);
    if (topic !== null) onChange(topic);
  };
  source.addEventListener("heartbeat", heard);
  source.addEventListener("reset", () => {
    heard();
    onGap();
  });
  return promise;
}

function topicOf(text: string): string | null {
  try {
    const event: unknown = JSON.parse(text);
    return typeof event === "object" && event !== null && "topic" in event && typeof event.topic === "string"
      ? event.topic
      : null;
  } catch {
    return null;
  }
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
