"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import dynamic from "next/dynamic";
import { parseAsString, useQueryState } from "nuqs";
import { GuardedButton, useMe } from "#components/shell/me.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { useSelection } from "#components/ui/use-selection.ts";
import { api } from "#lib/client/api.ts";
import { PAGE_SIZE, toDeviceQuery } from "#lib/client/device-params.ts";
import { plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { BulkBar } from "./bulk-bar.tsx";
import { DeviceTable } from "./device-table.tsx";
import { Facets } from "./facets.tsx";
import { NoDevices } from "./no-devices.tsx";
import { SearchBar } from "./search-bar.tsx";
import { useDeviceParams } from "./use-device-params.ts";

const ConnectDialog = dynamic(() => import("./connect-dialog.tsx").then((module) => module.ConnectDialog));

/** The fleet: filter, sort, select, connect. All of its state but the selection is in the URL. */
export function DevicesPage({ simulations }: { simulations: boolean }) {
  const { namespace } = useMe();
  const filter = useDeviceParams();
  const query = toDeviceQuery(filter.params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.devices.list(query),
    queryFn: ({ signal }) => api.listDevices(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(filter.params.cursor, filter.goTo);
  const selection = useSelection();
  const [open, setOpen] = useQueryState("open", parseAsString.withDefault(""));
  const connect = () => void setOpen("connect");
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  return (
    <>
      <PageHead
        title="Devices"
        meta={
          data === undefined ? (
            <span className="skeleton inline-block h-3 w-28" />
          ) : (
            `${data.totalIsExact ? "" : "about "}${plural(data.total, "device")} in ${namespace}${filter.active > 0 ? " match" : ""}`
          )
        }
        actions={
          <GuardedButton permission="device.issue" look="primary" onClick={connect}>
            <Plus aria-hidden />
            Connect a device
          </GuardedButton>
        }
      />
      {empty && filter.active === 0 ? (
        <NoDevices onConnect={connect} simulations={simulations} />
      ) : (
        <>
          <SearchBar filter={filter} />
          <div className="flex items-start gap-5 max-md:flex-col">
            <Facets filter={filter} />
            <div className="w-full min-w-0 flex-1">
              {error === null ? null : (
                <ErrorPanel what="The list of devices" error={error} retry={() => void refetch()} />
              )}
              {data === undefined && error !== null ? null : (
                <DeviceTable
                  rows={data?.data}
                  filter={filter}
                  selection={selection}
                  refreshing={isPlaceholderData}
                  noMatch={empty}
                />
              )}
              {data === undefined || empty ? null : <Pager paging={paging} page={data} limit={PAGE_SIZE} />}
              <BulkBar selection={selection} />
            </div>
          </div>
        </>
      )}
      {open === "connect" ? <ConnectDialog simulations={simulations} onClose={() => void setOpen(null)} /> : null}
    </>
  );
}
