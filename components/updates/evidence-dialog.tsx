"use client";

import { FileJson } from "lucide-react";
import { Facts } from "#components/ui/card.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import type { Evidence, UpdateDevice } from "#lib/contracts/console/updates.ts";

/** What "updated" rests on. */
export function EvidenceDialog({
  device,
  evidence,
  onClose,
}: {
  device: UpdateDevice;
  evidence: Evidence;
  onClose: () => void;
}) {
  return (
    <Dialog
      title="Evidence"
      description={`${device.name ?? device.uuid} is updated because a manifest signed by its own key says so.`}
      onClose={onClose}
    >
      <Facts
        rows={[
          ["Reported", <AbsoluteTime key="at" at={evidence.reportedAt} />],
          ["ECU", <Digest key="ecu" value={evidence.ecuSerial} label="ECU serial" />],
          ["Signing key", <Digest key="key" value={evidence.keyId} label="key id" />],
          ["Manifest", <Digest key="manifest" value={evidence.manifestSha256} label="SHA-256 of the manifest" />],
        ]}
      />
      <p className="mt-4">
        <a
          href={evidence.manifestUrl}
          download={`manifest-${evidence.manifestSha256.slice(0, 12)}.json`}
          className="link inline-flex items-center gap-1.5"
        >
          <FileJson aria-hidden className="size-4" />
          The signed manifest, byte for byte as it came
        </a>
      </p>
    </Dialog>
  );
}
