"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { Card, Facts } from "#components/ui/card.tsx";
import { Digest, Fingerprint } from "#components/ui/digest.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { SkeletonLines } from "#components/ui/skeleton.tsx";
import { Pill } from "#components/ui/status.tsx";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import type { Device } from "#lib/contracts/console/devices.ts";
import type { MenderDeviceReport } from "#lib/contracts/console/mender.ts";
import { MenderOutcomes } from "./mender-outcomes.tsx";
import { MENDER_STATUS } from "./texts.ts";

/** The device as the Mender server has it now: its state, its keys, and the certificates they came with. */
export function MenderPanel({ uuid, mender }: { uuid: string; mender: NonNullable<Device["mender"]> }) {
  const { data, error, refetch } = useQuery({
    queryKey: keys.devices.mender(uuid),
    queryFn: ({ signal }) => api.getMenderDevice(uuid, signal),
  });
  const look = MENDER_STATUS[data?.status ?? mender.status];
  return (
    <Card title="Mender" aside={<Pill tone={look.tone}>{look.word}</Pill>}>
      <div className="grid gap-3">
        <Facts
          rows={[
            ["Device", <Digest key="id" value={mender.id} short={mender.id.slice(0, 13)} label="Mender's device id" />],
            [
              "Identity",
              data === undefined ? null : (
                <span key="identity" className="mono">
                  {data.identity}
                </span>
              ),
            ],
          ]}
        />
        {error === null ? null : (
          <ErrorPanel what="What Mender says of it" error={error} retry={() => void refetch()} />
        )}
        {data === undefined && error === null ? <SkeletonLines label="Asking the Mender server" lines={3} /> : null}
        {data?.authSets.map((set) => (
          <AuthSet key={set.id} set={set} />
        ))}
        <MenderOutcomes uuid={uuid} />
      </div>
    </Card>
  );
}

function AuthSet({ set }: { set: MenderDeviceReport["authSets"][number] }) {
  const look = MENDER_STATUS[set.status];
  return (
    <div className="grid gap-1.5 border-t border-line pt-3">
      <div>
        <Pill tone={look.tone}>{look.word}</Pill>
      </div>
      <Facts
        rows={[
          ["Auth set", <Digest key="id" value={set.id} short={set.id.slice(0, 13)} label="Authentication set" />],
          [
            "Key",
            set.keySha256 === null ? (
              "of a kind that is not known here"
            ) : (
              <Fingerprint key="key" value={set.keySha256} />
            ),
          ],
          [
            "Came with",
            set.fingerprint === null ? (
              "no certificate of ours"
            ) : (
              <Link
                key="fingerprint"
                href={`/trust/certificates/${set.fingerprint}`}
                prefetch={false}
                className="link mono"
              >
                {set.fingerprint.slice(0, 16)}…
              </Link>
            ),
          ],
        ]}
      />
    </div>
  );
}
