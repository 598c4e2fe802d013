import type { DehydratedState } from "@tanstack/react-query";
import { keys } from "#lib/client/keys.ts";
import {
  ExpirySelection,
  ListExpiring,
  ListPostureFindings,
  type PostureCode,
} from "#lib/contracts/console/posture.ts";
import { getForecast, getPosture, listExpiringDevices, listPostureFindings } from "#services/posture/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";

type Query = Readonly<Record<string, string | number | string[]>>;

export function prefetchForecast(query: { simulated: string }): Promise<DehydratedState> {
  return prefetch({
    key: keys.certificates.forecast(query),
    read: ({ ctx, actor }) => getForecast(ctx, actor, ExpirySelection.pick({ simulated: true }).parse(present(query))),
  });
}

export function prefetchExpiring(query: Query): Promise<DehydratedState> {
  return prefetch({
    key: keys.certificates.expiring(query),
    read: ({ ctx, actor }) => listExpiringDevices(ctx, actor, ListExpiring.parse(present(query))),
  });
}

export function prefetchPosture(): Promise<DehydratedState> {
  return prefetch({ key: keys.certificates.posture, read: ({ ctx, actor }) => getPosture(ctx, actor) });
}

export function prefetchFindings(code: PostureCode, query: Query): Promise<DehydratedState> {
  return prefetch(
    {
      key: keys.certificates.findings(code, query),
      read: ({ ctx, actor }) =>
        listPostureFindings(ctx, actor, { code, query: ListPostureFindings.parse(present(query)) }),
    },
    { key: keys.certificates.posture, read: ({ ctx, actor }) => getPosture(ctx, actor) },
  );
}
