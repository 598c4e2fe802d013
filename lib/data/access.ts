import type { DehydratedState } from "@tanstack/react-query";
import { toAccessQuery } from "#lib/client/access-params.ts";
import { keys } from "#lib/client/keys.ts";
import { ListQuery } from "#lib/contracts/console/common.ts";
import { listMachineClients, listTokens, listUsers } from "#services/accounts/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";

type Params = { q: string; cursor: string };

export function prefetchUsers(params: Params): Promise<DehydratedState> {
  const query = toAccessQuery(params);
  return prefetch({
    key: keys.users.list(query),
    read: ({ ctx, actor }) => listUsers(ctx, actor, ListQuery.parse(present(query))),
  });
}

export function prefetchTokens(params: Params): Promise<DehydratedState> {
  const query = toAccessQuery(params);
  return prefetch({
    key: keys.tokens.list(query),
    read: ({ ctx, actor }) => listTokens(ctx, actor, ListQuery.parse(present(query))),
  });
}

export function prefetchMachineClients(params: Params): Promise<DehydratedState> {
  const query = toAccessQuery(params);
  return prefetch({
    key: keys.machineClients.list(query),
    read: ({ ctx, actor }) => listMachineClients(ctx, actor, ListQuery.parse(present(query))),
  });
}
