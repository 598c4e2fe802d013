import type { DehydratedState } from "@tanstack/react-query";
import { cache } from "react";
import { keys } from "#lib/client/keys.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";
import { ListQuery, Uuid } from "#lib/contracts/console/common.ts";
import { ListServerCaDevices } from "#lib/contracts/console/server-ca.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { getAuthority, getServerCa, listAuthorities } from "#services/authorities/service.ts";
import { countCertificates, listServerCaDevices } from "#services/identity/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";
import { requirePageSession } from "./session.ts";

type Query = Readonly<Record<string, string | number>>;

const serverCa = {
  key: keys.authorities.serverCa,
  read: ({ ctx, actor }: Awaited<ReturnType<typeof requirePageSession>>) => getServerCa(ctx, actor),
};

export function prefetchAuthorities(query: Query): Promise<DehydratedState> {
  return prefetch(serverCa, {
    key: keys.authorities.list(query),
    read: ({ ctx, actor }) =>
      listAuthorities(ctx, actor, { ...ListQuery.parse(present(query)), count: countCertificates }),
  });
}

/** @returns null when there is no such authority, or the text is no id */
export const findAuthority = cache(async (id: string): Promise<Authority | null> => {
  const { ctx, actor } = await requirePageSession();
  if (!Uuid.safeParse(id).success) return null;
  try {
    return await getAuthority(ctx, actor, { id, count: countCertificates });
  } catch (error) {
    if (isAppError(error, "authority.not_found")) return null;
    throw error;
  }
});

export function prefetchAuthority(authority: Authority): Promise<DehydratedState> {
  return prefetch({ key: keys.authorities.one(authority.id), read: async () => authority });
}

export function prefetchServerCa(query: Query): Promise<DehydratedState> {
  return prefetch(serverCa, {
    key: keys.authorities.serverCaDevices(query),
    read: ({ ctx, actor }) => listServerCaDevices(ctx, actor, ListServerCaDevices.parse(present(query))),
  });
}
