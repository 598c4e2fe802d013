import { type DehydratedState, dehydrate, QueryClient, type QueryKey } from "@tanstack/react-query";
import { isAppError } from "#lib/errors/app-error.ts";
import { type PageSession, requirePageSession } from "./session.ts";

type Prefetched = { key: QueryKey; read: (session: PageSession) => Promise<unknown> };

/**
 * Reads what a page shows first, all at once, for `HydrationBoundary`. What fails is left out: the browser asks for it again and shows
 * that one panel's error, while the rest of the page is there.
 */
export async function prefetch(...wanted: readonly Prefetched[]): Promise<DehydratedState> {
  const session = await requirePageSession();
  const client = new QueryClient();
  await Promise.all(
    wanted.map(async ({ key, read }) => {
      try {
        client.setQueryData(key, await read(session));
      } catch (error) {
        const level = isAppError(error) ? "debug" : "error";
        session.ctx.log[level]({ err: error, key }, "a panel could not be read for its page");
      }
    }),
  );
  return dehydrate(client);
}
