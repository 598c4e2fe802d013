"use client";

import { useQuery } from "@tanstack/react-query";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { api } from "#lib/client/api.ts";
import { useCancelServerCa, usePrepareServerCa, useSwitchServerCa } from "#lib/client/authority-mutations.ts";
import { plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";

export function PrepareServerCaDialog({ onClose }: { onClose: () => void }) {
  const prepare = usePrepareServerCa();
  return (
    <ConfirmDialog
      title="Prepare the next server CA?"
      confirm="Prepare it"
      danger={false}
      busy={prepare.isPending}
      error={prepare.error}
      onConfirm={() =>
        afterwards(prepare.mutateAsync(undefined), () => {
          toast.done("The next server CA is prepared");
          onClose();
        })
      }
      onClose={onClose}
    >
      <p>
        From then on new credentials carry the next server CA, and the doors are believed by devices that have either
        one. No device notices anything.
      </p>
      <p>The old one stays in force until you switch it off, which you can do when the devices have the next one.</p>
    </ConfirmDialog>
  );
}

const WITHOUT = { has: "false", limit: 1 } as const;
const WITH = { has: "true", limit: 1 } as const;

export function SwitchServerCaDialog({ onClose }: { onClose: () => void }) {
  const end = useSwitchServerCa();
  const { data } = useQuery({
    queryKey: keys.authorities.serverCaDevices(WITHOUT),
    queryFn: ({ signal }) => api.listServerCaDevices(WITHOUT, signal),
  });
  const without = data?.total ?? 0;
  return (
    <ConfirmDialog
      title="Switch the old server CA off?"
      confirm="Switch it off"
      affects={without}
      blocked={data === undefined}
      busy={end.isPending}
      error={end.error}
      onConfirm={() =>
        afterwards(end.mutateAsync(without), () => {
          toast.done("The doors are known by the next server CA alone");
          onClose();
        })
      }
      onClose={onClose}
    >
      <p>
        {without === 0
          ? "Every device that may come in was given the next one."
          : `${plural(without, "device")} may come in and were not given the next one, as far as is on record. They can't connect any more, and no update can mend that.`}
      </p>
      <p>The old one's key is deleted. This can't be undone.</p>
    </ConfirmDialog>
  );
}

export function CancelServerCaDialog({ onClose }: { onClose: () => void }) {
  const cancel = useCancelServerCa();
  const { data } = useQuery({
    queryKey: keys.authorities.serverCaDevices(WITH),
    queryFn: ({ signal }) => api.listServerCaDevices(WITH, signal),
  });
  const having = data?.total ?? 0;
  return (
    <ConfirmDialog
      title="Drop the next server CA?"
      confirm="Drop it"
      affects={having}
      blocked={data === undefined}
      busy={cancel.isPending}
      error={cancel.error}
      onConfirm={() =>
        afterwards(cancel.mutateAsync(having), () => {
          toast.done("The next server CA is dropped");
          onClose();
        })
      }
      onClose={onClose}
    >
      <p>
        {having === 0
          ? "No device that may come in was given it, as far as is on record."
          : `${plural(having, "device")} may come in and were given it last. Those that kept nothing else can't connect any more, and no update can mend that.`}
      </p>
      <p>The one in force stays as it is. The key of the next one is deleted; you can prepare another.</p>
    </ConfirmDialog>
  );
}
