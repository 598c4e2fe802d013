"use client";

import { Ellipsis, Pencil, Square, Trash2 } from "lucide-react";
import { useCan } from "#components/shell/me.tsx";
import { IconButton } from "#components/ui/button.tsx";
import { Menu, MenuItem, MenuLine } from "#components/ui/menu.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useStopSimulation } from "#lib/client/mutations.ts";
import type { Device } from "#lib/contracts/console/devices.ts";
import type { DeviceAct } from "./device-head.tsx";

type DeviceMenuProps = { device: Device; onAct: (act: DeviceAct) => void };

/** What a role may not do is shown with what it lacks. */
export function DeviceMenu({ device, onAct }: DeviceMenuProps) {
  const isMenders = device.mender?.only === true;
  const mayRename = useCan("device.rename");
  const mayDelete = useCan("device.delete");
  const maySimulate = useCan("simulation.manage");
  const stop = useStopSimulation();
  const stopSimulation = () =>
    stop.mutateAsync(device.uuid).then(
      ({ name }) => toast.done(`${name} is stopped`, { detail: "Its rows stay until it is deleted." }),
      (error: Error) => toast.failed("Not stopped", error.message),
    );
  return (
    <Menu trigger={(props) => <IconButton look="plain" {...props} label="More" icon={<Ellipsis aria-hidden />} />}>
      <MenuItem disabled={!mayRename || isMenders} onClick={() => onAct("rename")}>
        <Pencil aria-hidden />
        Rename…
        {isMenders ? <InMender /> : <Lacking permission="device.rename" has={mayRename} />}
      </MenuItem>
      {device.simulated && maySimulate ? (
        <MenuItem onClick={stopSimulation}>
          <Square aria-hidden />
          Stop the simulation
        </MenuItem>
      ) : null}
      <MenuLine />
      <MenuItem danger disabled={!mayDelete || isMenders} onClick={() => onAct("delete")}>
        <Trash2 aria-hidden />
        Delete…
        {isMenders ? <InMender /> : <Lacking permission="device.delete" has={mayDelete} />}
      </MenuItem>
    </Menu>
  );
}

function InMender() {
  return <span className="ml-auto pl-4 text-sm">in Mender</span>;
}

function Lacking({ permission, has }: { permission: string; has: boolean }) {
  return has ? null : <span className="ml-auto pl-4 text-sm">needs {permission}</span>;
}
