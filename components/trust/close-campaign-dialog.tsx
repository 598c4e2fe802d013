"use client";

import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { plural } from "#lib/client/format.ts";
import { useCloseRenewalCampaign } from "#lib/client/mutations.ts";
import type { RenewalCampaign } from "#lib/contracts/console/renewal-campaigns.ts";

export function CloseCampaignDialog({ campaign, onClose }: { campaign: RenewalCampaign; onClose: () => void }) {
  const close = useCloseRenewalCampaign(campaign.id);
  const { waiting } = campaign.counts;
  return (
    <ConfirmDialog
      title={`Close ${campaign.name}?`}
      confirm="Close the campaign"
      danger={false}
      busy={close.isPending}
      error={close.error}
      onConfirm={() => afterwards(close.mutateAsync(), onClose)}
      onClose={onClose}
    >
      <p>
        Nobody is told any more that it is overdue.{" "}
        {waiting === 0 ? "" : `${plural(waiting, "device")} not renewed yet `}
        {waiting === 0 ? "" : waiting === 1 ? "stays as it is. " : "stay as they are. "}
        The list stays and can be read.
      </p>
    </ConfirmDialog>
  );
}
