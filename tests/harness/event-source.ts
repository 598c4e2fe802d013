export type SentEvent = { id: string | null; event: string; data: string };

/** Reads server-sent events from a real connection, as a browser would. */
export async function openEventSource(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; next(wanted: (event: SentEvent) => boolean): Promise<SentEvent | null>; close(): void }> {
  const leave = new AbortController();
  const response = await fetch(url, { headers, signal: leave.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let buffered = "";
  async function read(): Promise<SentEvent | null> {
    while (!buffered.includes("\n\n")) {
      const part = await reader?.read();
      if (part === undefined || part.done) return null;
      buffered += part.value;
    }
    const end = buffered.indexOf("\n\n");
    const fields = new Map(
      buffered
        .slice(0, end)
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)] as const),
    );
    buffered = buffered.slice(end + 2);
    return { id: fields.get("id") ?? null, event: fields.get("event") ?? "message", data: fields.get("data") ?? "" };
  }
  return {
    status: response.status,
    /** The next event that is wanted; null when the stream ended first. */
    async next(wanted) {
      for (;;) {
        const event = await read();
        if (event === null || wanted(event)) return event;
      }
    },
    close: () => leave.abort(),
  };
}
