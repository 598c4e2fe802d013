import type { DehydratedState } from "@tanstack/react-query";
import { keys } from "#lib/client/keys.ts";
import { listBackends } from "#services/settings/service.ts";
import { prefetch } from "./prefetch.ts";

/** The back ends themselves are asked by the page, each for itself: one that is dead must not hold it up. */
export function prefetchSettings(): Promise<DehydratedState> {
  return prefetch({ key: keys.backends.list, read: ({ ctx, actor }) => listBackends(ctx, actor) });
}
