"use client";

import { useRouter } from "next/navigation";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { plural } from "#lib/client/format.ts";
import { useDeleteDevice } from "#lib/client/mutations.ts";
import type { Device } from "#lib/contracts/console/devices.ts";
import { useDeviceCertificates } from "./queries.ts";

export function DeleteDialog({ device, onClose }: { device: Device; onClose: () => void }) {
  const router = useRouter();
  const remove = useDeleteDevice(device.uuid);
  const { data: certificates } = useDeviceCertificates(device.uuid);
  const standing = certificates?.data.filter(
    ({ state }) => state === "allowed" || state === "pending" || state === "held",
  );
  return (
    <ConfirmDialog
      title={`Delete ${device.name}?`}
      confirm="Delete this device"
      busy={remove.isPending}
      error={remove.error}
      onClose={onClose}
      onConfirm={() =>
        afterwards(remove.mutateAsync(), () => {
          toast.done(`${device.name} is deleted`);
          router.push("/devices");
        })
      }
    >
      <p>
        {standing === undefined
          ? "Its certificates are"
          : standing.length === 1
            ? "Its certificate is"
            : `Its ${plural(standing.length, "certificate")} are`}{" "}
        revoked for good and its connections are cut within a second. With these keys it can never come back.
      </p>
      <p>
        Its software, hardware and activity are forgotten here. What it has installed keeps running, and the audit log
        keeps what was done.
      </p>
    </ConfirmDialog>
  );
}
