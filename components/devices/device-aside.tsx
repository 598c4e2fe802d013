"use client";

import Link from "next/link";
import { MenderOutcomesCard } from "#components/mender/mender-outcomes.tsx";
import { MenderPanel } from "#components/mender/mender-panel.tsx";
import { ValidityBar } from "#components/trust/validity-bar.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { SkeletonLines } from "#components/ui/skeleton.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { Timeline } from "#components/ui/timeline.tsx";
import type { Device } from "#lib/contracts/console/devices.ts";
import { toTimelineEntry } from "./activity-entry.ts";
import { CertificateBadge } from "./certificate-badge.tsx";
import { useActivity, useDeviceCertificates } from "./queries.ts";

const LATEST = { limit: 8 };

type DeviceAsideProps = { device: Device; withActivity: boolean; withCertificate: boolean };

/** What is worth a glance whatever tab is open. */
export function DeviceAside({ device, withActivity, withCertificate }: DeviceAsideProps) {
  return (
    <>
      {withCertificate ? <CertificateCard device={device} /> : null}
      <Card title="Device">
        <Facts
          rows={[
            [
              "Device id",
              <span key="id" className="mono">
                {device.deviceId}
              </span>,
            ],
            [
              "Address",
              device.address === null ? null : (
                <span key="address" className="mono">
                  {device.address}
                </span>
              ),
            ],
            ["Created", <AbsoluteTime key="created" at={device.createdAt} dateOnly />],
          ]}
        />
      </Card>
      {device.mender === null ? (
        <MenderOutcomesCard uuid={device.uuid} />
      ) : (
        <MenderPanel uuid={device.uuid} mender={device.mender} />
      )}
      {withActivity ? <LatestCard uuid={device.uuid} /> : null}
    </>
  );
}

function CertificateCard({ device }: { device: Device }) {
  const { data } = useDeviceCertificates(device.uuid);
  const current = data?.data.find(({ fingerprint }) => fingerprint === device.certificate?.fingerprint);
  return (
    <Card title="Certificate" aside={<CertificateBadge certificate={device.certificate} />}>
      {device.certificate === null ? (
        <p className="text-ink-2">No certificate of this device is known.</p>
      ) : (
        <div className="grid gap-3.5">
          <Facts
            rows={[
              ["Fingerprint", <Fingerprint key="fingerprint" value={device.certificate.fingerprint} />],
              ["Issuer", current?.authority?.name ?? current?.issuer ?? null],
            ]}
          />
          {current === undefined ? null : <ValidityBar certificate={current} />}
          <Link href={`/devices/${device.uuid}?tab=certificate`} scroll={false} className="link text-sm">
            All certificates of this device
          </Link>
        </div>
      )}
    </Card>
  );
}

function LatestCard({ uuid }: { uuid: string }) {
  const { data } = useActivity(uuid, LATEST);
  return (
    <Card
      title="Latest"
      aside={
        <Link href={`/devices/${uuid}?tab=activity`} scroll={false} className="text-sm text-ink-3 hover:text-ink">
          All activity
        </Link>
      }
    >
      {data === undefined ? (
        <SkeletonLines label="Loading the latest activity" lines={4} />
      ) : data.data.length === 0 ? (
        <p className="text-ink-2">Nothing has happened yet.</p>
      ) : (
        <Timeline entries={data.data.map(toTimelineEntry)} />
      )}
    </Card>
  );
}
