import type { DehydratedState } from "@tanstack/react-query";
import { keys } from "#lib/client/keys.ts";
import { getOverview } from "#services/overview/service.ts";
import { prefetch } from "./prefetch.ts";

export function prefetchOverview(): Promise<DehydratedState> {
  return prefetch({ key: keys.overview.all, read: ({ ctx, actor }) => getOverview(ctx, actor) });
}
