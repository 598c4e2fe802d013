"use client";

import { ListChecks } from "lucide-react";
import dynamic from "next/dynamic";
import { useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import type { CreateRenewalCampaign } from "#lib/contracts/console/renewal-campaigns.ts";

const CampaignDialog = dynamic(() => import("./campaign-dialog.tsx").then((module) => module.CampaignDialog));

/** Begins a renewal campaign with the devices that the page lists. */
export function CampaignButton({ devices, count }: { devices: CreateRenewalCampaign["devices"]; count: number }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <GuardedButton
        permission="certificate.decide"
        blocked={count === 0 ? "There is no device to list." : null}
        onClick={() => setOpen(true)}
      >
        <ListChecks aria-hidden />
        Renewal campaign…
      </GuardedButton>
      {open ? <CampaignDialog devices={devices} count={count} onClose={() => setOpen(false)} /> : null}
    </>
  );
}
