import type { DehydratedState } from "@tanstack/react-query";
import { cache } from "react";
import { keys } from "#lib/client/keys.ts";
import { Uuid } from "#lib/contracts/console/common.ts";
import { ListNotices } from "#lib/contracts/console/notices.ts";
import {
  ExpirySelection,
  ListExpiring,
  ListPostureFindings,
  type PostureCode,
} from "#lib/contracts/console/posture.ts";
import {
  ListCampaignDevices,
  ListRenewalCampaigns,
  type RenewalCampaign,
} from "#lib/contracts/console/renewal-campaigns.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import {
  getForecast,
  getPosture,
  getRenewalCampaign,
  listCampaignDevices,
  listExpiringDevices,
  listNotices,
  listPostureFindings,
  listRenewalCampaigns,
} from "#services/posture/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";
import { requirePageSession } from "./session.ts";

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

export function prefetchNotices(query: Query): Promise<DehydratedState> {
  return prefetch({
    key: keys.notices.list(query),
    read: ({ ctx, actor }) => listNotices(ctx, actor, ListNotices.parse(present(query))),
  });
}

export function prefetchCampaigns(query: Query): Promise<DehydratedState> {
  return prefetch({
    key: keys.certificates.campaigns(query),
    read: ({ ctx, actor }) => listRenewalCampaigns(ctx, actor, ListRenewalCampaigns.parse(present(query))),
  });
}

/** @returns null when there is no such campaign, or the text is no id */
export const findCampaign = cache(async (id: string): Promise<RenewalCampaign | null> => {
  const { ctx, actor } = await requirePageSession();
  if (!Uuid.safeParse(id).success) return null;
  try {
    return await getRenewalCampaign(ctx, actor, id);
  } catch (error) {
    if (isAppError(error, "renewal_campaign.not_found")) return null;
    throw error;
  }
});

export function prefetchCampaign(campaign: RenewalCampaign, query: Query): Promise<DehydratedState> {
  const { id } = campaign;
  return prefetch(
    { key: keys.certificates.campaign(id), read: async () => campaign },
    {
      key: keys.certificates.campaignDevices(id, query),
      read: ({ ctx, actor }) =>
        listCampaignDevices(ctx, actor, { id, query: ListCampaignDevices.parse(present(query)) }),
    },
  );
}
