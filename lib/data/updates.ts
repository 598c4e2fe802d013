import type { DehydratedState } from "@tanstack/react-query";
import { cache } from "react";
import { keys } from "#lib/client/keys.ts";
import { toUpdateQuery } from "#lib/client/update-params.ts";
import { Uuid } from "#lib/contracts/console/common.ts";
import { ListUpdateDevices, ListUpdates, type Update } from "#lib/contracts/console/updates.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { getUpdate, listUpdateDevices, listUpdates } from "#services/rollouts/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";
import { requirePageSession } from "./session.ts";

export function prefetchUpdates(params: { q: string; state: string; cursor: string }): Promise<DehydratedState> {
  const query = toUpdateQuery(params);
  return prefetch({
    key: keys.updates.list(query),
    read: ({ ctx, actor }) => listUpdates(ctx, actor, ListUpdates.parse(present(query))),
  });
}

/** @returns null when there is no such update, or the text is no id */
export const findUpdate = cache(async (id: string): Promise<Update | null> => {
  const { ctx, actor } = await requirePageSession();
  if (!Uuid.safeParse(id).success) return null;
  try {
    return await getUpdate(ctx, actor, id);
  } catch (error) {
    if (isAppError(error, "update.not_found")) return null;
    throw error;
  }
});

export function prefetchUpdate(update: Update, params: { state: string; cursor: string }): Promise<DehydratedState> {
  const query = toUpdateQuery(params);
  return prefetch(
    { key: keys.updates.one(update.id), read: async () => update },
    {
      key: keys.updates.devices(update.id, query),
      read: ({ ctx, actor }) =>
        listUpdateDevices(ctx, actor, { id: update.id, query: ListUpdateDevices.parse(present(query)) }),
    },
  );
}
