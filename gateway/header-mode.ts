import type { Ctx } from "#lib/ctx.ts";
import { HEADER_MODE_CHANNEL } from "#lib/db/events.ts";
import {
  announceSeen,
  type CheckOutcome,
  parseMessage,
  readHeaderMode,
  recordHeaderCheck,
} from "#services/header-mode/service.ts";
import { type BoundedMap, createBoundedMap } from "./bounded-map.ts";
import type { Decoys } from "./decoys.ts";
import type { DoorMetrics } from "./door-metrics.ts";
import { type Follower, openFollower } from "./follower.ts";
import { checkProxy } from "./header-check.ts";
import { createHeaderModeView, type HeaderModeView, isTestDue } from "./header-mode-view.ts";

/** Whether this gateway believes what a proxy says of devices. */
export type HeaderMode = {
  /** null while it does; else why not, in a sentence. */
  whyOff(): string | null;
  /** A question of the test with this nonce came, without what was forged. */
  sawClean(nonce: string): Promise<void>;
  /** A forged header came through the proxy: off, everywhere, at once. */
  sawForged(header: string, nonce: string | null): Promise<void>;
  /** Tests the proxy now, and from then on by itself. Call it once the decision port answers. */
  start(): Promise<void>;
  close(): Promise<void>;
};

type Parts = {
  readonly ctx: Ctx;
  readonly decoys: Decoys;
  readonly view: HeaderModeView;
  /** By nonce, what any gateway saw of a test's request. */
  readonly seen: BoundedMap<"clean" | "forged">;
};

const LOOK_EVERY_MS = 30_000;
const REMEMBERED_NONCES = 200;

/** Opens this gateway's view of header mode (services/header-mode), and tests the proxy when it is time. */
export async function openHeaderMode(
  ctx: Ctx,
  options: { databaseUrl: string; decoys: Decoys; metrics: DoorMetrics },
): Promise<HeaderMode> {
  let follower: Follower | null = null;
  const view = createHeaderModeView(ctx, {
    metrics: options.metrics,
    isFollowed: () => follower?.isFresh() ?? null,
  });
  const it: Parts = { ctx, view, decoys: options.decoys, seen: createBoundedMap(REMEMBERED_NONCES) };
  let running: Promise<void> = Promise.resolve();
  /** One at a time. */
  function queueTest(byPerson: boolean): Promise<void> {
    running = running.then(() => test(it, byPerson));
    return running;
  }
  if (ctx.config.DECISION_PUBLIC_URL !== undefined) {
    follower = await openFollower(ctx, {
      databaseUrl: options.databaseUrl,
      channel: HEADER_MODE_CHANNEL,
      onChange(announced) {
        const message = announced === null ? { kind: "changed" as const } : parseMessage(announced);
        if (message?.kind === "changed") void reload(it);
        else if (message?.kind === "check") void queueTest(true);
        else if (message?.kind === "seen") remember(it, message.nonce, message.forged ? "forged" : "clean");
      },
    });
  }
  let timer: NodeJS.Timeout | undefined;
  return {
    whyOff: view.whyOff,
    async sawClean(nonce) {
      remember(it, nonce, "clean");
      await announceSeen(ctx, { nonce, forged: false });
    },
    sawForged: (header, nonce) => fail(it, header, nonce),
    async start() {
      if (follower === null) return;
      await reload(it);
      clearInterval(timer);
      timer = setInterval(() => {
        if (isTestDue(ctx, view)) void queueTest(false);
      }, LOOK_EVERY_MS);
      if (view.row()?.state !== "failed") await queueTest(false);
    },
    async close() {
      clearInterval(timer);
      await running;
      await follower?.close();
    },
  };
}

async function test(it: Parts, byPerson: boolean): Promise<void> {
  const { ctx, decoys, seen } = it;
  const publicUrl = ctx.config.DECISION_PUBLIC_URL;
  if (publicUrl === undefined) return;
  const startedAt = ctx.clock();
  try {
    const found = await checkProxy(ctx, { publicUrl, decoys, seen: seen.get });
    if (found.verdict !== "passed") ctx.log.warn(found, "the test of the proxy did not pass");
    await store(it, { ...found, startedAt, byPerson });
  } catch (err) {
    ctx.log.error({ err }, "the proxy could not be tested");
  }
}

async function fail(it: Parts, header: string, nonce: string | null): Promise<void> {
  const { ctx, view } = it;
  if (nonce !== null) remember(it, nonce, "forged");
  const detail = `The proxy passes on the header ${header} as a client sends it, so anybody could claim to be any device. Have the proxy drop or set every header that docs/guides/behind-a-proxy.md names, then test it again.`;
  if (view.distrust(detail)) {
    ctx.log.error({ header }, "a forged header came through the proxy; header mode is off");
    await store(it, { verdict: "failed", detail, startedAt: ctx.clock(), byPerson: false });
  }
  if (nonce !== null) await announceSeen(ctx, { nonce, forged: true });
}

async function store({ ctx, view }: Parts, outcome: CheckOutcome): Promise<void> {
  const before = view.row()?.state;
  const { state, detail, ...times } = await recordHeaderCheck(ctx, outcome);
  if (state !== before) ctx.log.info({ state, detail }, "header mode");
  view.take({ state, detail, ...times });
}

async function reload({ ctx, view }: Parts): Promise<void> {
  try {
    view.take(await readHeaderMode(ctx));
  } catch (err) {
    ctx.log.warn({ err }, "header mode can't be read");
    view.take(null);
  }
}

function remember({ seen }: Parts, nonce: string, what: "clean" | "forged"): void {
  if (seen.get(nonce) !== "forged") seen.set(nonce, what);
}
