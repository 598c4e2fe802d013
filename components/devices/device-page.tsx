"use client";

import { CircleAlert } from "lucide-react";
import { parseAsString, useQueryStates } from "nuqs";
import { ButtonLink } from "#components/ui/button.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Columns } from "#components/ui/page.tsx";
import { Tabs } from "#components/ui/tabs.tsx";
import { ApiProblem } from "#lib/client/problem.ts";
import { ActivityTab } from "./activity-tab.tsx";
import { CertificateTab } from "./certificate-tab.tsx";
import { DeviceAside } from "./device-aside.tsx";
import { DeviceHead } from "./device-head.tsx";
import { type DeviceTab, parseDeviceTab } from "./device-tab.ts";
import { HardwareTab } from "./hardware-tab.tsx";
import { useDevice } from "./queries.ts";
import { SoftwareTab } from "./software-tab.tsx";
import { WhyPanel } from "./why-panel.tsx";

const TABS: readonly { tab: DeviceTab; label: string }[] = [
  { tab: "software", label: "Software" },
  { tab: "certificate", label: "Certificate" },
  { tab: "hardware", label: "Hardware" },
  { tab: "activity", label: "Activity" },
];

export function DevicePage({ uuid }: { uuid: string }) {
  const [state, setState] = useQueryStates({ tab: parseAsString, cursor: parseAsString }, { history: "push" });
  const tab = parseDeviceTab(state.tab);
  const { data: device, error, refetch } = useDevice(uuid);
  if (error instanceof ApiProblem && error.code === "device.not_found") return <Gone />;
  if (device === undefined) {
    return error === null ? null : <ErrorPanel what="This device" error={error} retry={() => void refetch()} />;
  }
  return (
    <>
      <DeviceHead device={device} />
      <Columns
        aside={
          <DeviceAside device={device} withActivity={tab !== "activity"} withCertificate={tab !== "certificate"} />
        }
      >
        <WhyPanel device={device} />
        <div className="min-w-0">
          <Tabs
            label="Parts of this device"
            tabs={TABS.map(({ tab: name, label }) => ({
              href: name === "software" ? `/devices/${uuid}` : `/devices/${uuid}?tab=${name}`,
              label,
              current: name === tab,
              onOpen: () => void setState({ tab: name === "software" ? null : name, cursor: null }),
            }))}
          />
          {tab === "software" ? <SoftwareTab device={device} /> : null}
          {tab === "certificate" ? <CertificateTab uuid={uuid} /> : null}
          {tab === "hardware" ? <HardwareTab uuid={uuid} /> : null}
          {tab === "activity" ? <ActivityTab uuid={uuid} /> : null}
        </div>
      </Columns>
    </>
  );
}

/** It was deleted while somebody looked at it. */
function Gone() {
  return (
    <EmptyState
      icon={CircleAlert}
      title="This device was deleted"
      actions={<ButtonLink href="/devices">All devices</ButtonLink>}
    >
      Its certificates are revoked. What was done to it stays in the audit log.
    </EmptyState>
  );
}
