import { afterEach, expect, test } from "vitest";
import { eventually } from "#tests/harness/eventually.ts";
import { followStream, type StreamState } from "./live-stream.ts";

/** The browser's half, as far as the module uses it: opened, fed and broken by the test. */
class Source {
  static opened: Source[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  readonly named = new Map<string, () => void>();
  closed = false;
  constructor() {
    Source.opened.push(this);
  }
  addEventListener(name: string, listener: () => void) {
    this.named.set(name, listener);
  }
  close() {
    this.closed = true;
  }
}

const stops: AbortController[] = [];
const before = globalThis.EventSource;
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
  Source.opened = [];
  Object.assign(globalThis, { EventSource: before });
});

function follow(resumes = false) {
  Object.assign(globalThis, { EventSource: Source });
  const stop = new AbortController();
  stops.push(stop);
  const heard = { topics: [] as string[], gaps: 0, states: [] as StreamState[] };
  const ended = followStream({
    signal: stop.signal,
    resumes,
    onChange: (topic) => heard.topics.push(topic),
    onGap: () => {
      heard.gaps += 1;
    },
    onState: (state) => heard.states.push(state),
  });
  return { heard, stop, ended };
}

const latest = () => Source.opened.at(-1);

test("passes topics on, and takes what is no event for nothing", () => {
  const { heard } = follow();
  latest()?.onopen?.();
  latest()?.onmessage?.({ data: '{"topic":"device","subjectId":"x"}' });
  latest()?.onmessage?.({ data: "{broken" });
  latest()?.onmessage?.({ data: '{"topic":7}' });
  expect(heard.topics).toEqual(["device"]);
  expect(heard.gaps).toBe(0);
  expect(heard.states.at(-1)).toBe("live");
});

test("a reset of the server is a gap", () => {
  const { heard } = follow();
  latest()?.onopen?.();
  latest()?.named.get("reset")?.();
  expect(heard.gaps).toBe(1);
});

test("a broken stream is opened again and what may have been missed is asked for", async () => {
  const { heard } = follow();
  latest()?.onopen?.();
  latest()?.onerror?.();
  await eventually(() => expect(heard.states.at(-1)).toBe("reconnecting"));
  expect(Source.opened[0]?.closed).toBe(true);
  await eventually(() => expect(Source.opened).toHaveLength(2));
  latest()?.onopen?.();
  expect(heard.gaps).toBe(1);
  expect(heard.states.at(-1)).toBe("live");
});

test("a tab that takes the stream over catches up first", () => {
  const { heard } = follow(true);
  latest()?.onopen?.();
  expect(heard.gaps).toBe(1);
});

test("ends with its page and closes the stream", async () => {
  const { stop, ended } = follow();
  stop.abort();
  await ended;
  expect(latest()?.closed).toBe(true);
});
