import type { DehydratedState } from "@tanstack/react-query";
import { keys } from "#lib/client/keys.ts";
import { toMenderLogQuery } from "#lib/client/mender-params.ts";
import { ListMenderLog } from "#lib/contracts/console/mender.ts";
import { listMenderLog } from "#services/mender/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";

type Params = Parameters<typeof toMenderLogQuery>[0];

export function prefetchMenderLog(params: Params): Promise<DehydratedState> {
  const query = toMenderLogQuery(params);
  return prefetch({
    key: keys.backends.menderLog(query),
    read: ({ ctx, actor }) => listMenderLog(ctx, actor, ListMenderLog.parse(present(query))),
  });
}
