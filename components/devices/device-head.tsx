"use client";

import { Radio, Unplug } from "lucide-react";
import dynamic from "next/dynamic";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { MenderTag } from "#components/mender/mender-tag.tsx";
import { UPDATED_BY_MENDER } from "#components/mender/texts.ts";
import { GuardedButton } from "#components/shell/me.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pill } from "#components/ui/status.tsx";
import { SimulatedTag, Tag } from "#components/ui/tag.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import type { Device } from "#lib/contracts/console/devices.ts";
import { DeviceMenu } from "./device-menu.tsx";
import { newUpdateHref } from "./new-update.ts";

const RenameDialog = dynamic(() => import("./rename-dialog.tsx").then((module) => module.RenameDialog));
const DeleteDialog = dynamic(() => import("./delete-dialog.tsx").then((module) => module.DeleteDialog));

export type DeviceAct = "none" | "rename" | "delete";

export function DeviceHead({ device }: { device: Device }) {
  const router = useRouter();
  const [act, setAct] = useState<DeviceAct>("none");
  const close = () => setAct("none");
  return (
    <>
      <PageHead
        trail={{ href: "/devices", label: "Devices" }}
        title={device.name}
        beside={
          <>
            {device.hardwareIds.map((hardwareId) => (
              <Tag key={hardwareId}>{hardwareId}</Tag>
            ))}
            {device.simulated ? <SimulatedTag /> : null}
            {device.mender === null ? null : <MenderTag mender={device.mender} />}
            <Seen lastSeenAt={device.lastSeenAt} />
          </>
        }
        meta={<Digest value={device.uuid} short={device.uuid} label="UUID" />}
        actions={
          <>
            <GuardedButton
              permission="update.launch"
              blocked={device.mender?.only === true ? UPDATED_BY_MENDER : null}
              onClick={() => router.push(newUpdateHref([device.uuid]))}
            >
              Update…
            </GuardedButton>
            <DeviceMenu device={device} onAct={setAct} />
          </>
        }
      />
      {act === "rename" ? <RenameDialog device={device} onClose={close} /> : null}
      {act === "delete" ? <DeleteDialog device={device} onClose={close} /> : null}
    </>
  );
}

/** When it was last at the door, and no more than that: whether it is "online" nobody can know. */
function Seen({ lastSeenAt }: { lastSeenAt: string | null }) {
  return lastSeenAt === null ? (
    <Pill tone="idle" icon={Unplug}>
      Never seen
    </Pill>
  ) : (
    <Pill tone="idle" icon={Radio}>
      Seen <RelativeTime at={lastSeenAt} />
    </Pill>
  );
}
