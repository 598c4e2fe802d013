"use client";

import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useRevokeMachineClient } from "#lib/client/mutations.ts";
import type { MachineClient } from "#lib/contracts/console/machine-clients.ts";

export function RevokeMachineClientDialog({ client, onClose }: { client: MachineClient; onClose: () => void }) {
  const revoke = useRevokeMachineClient();
  return (
    <ConfirmDialog
      title={`Revoke the machine client ${client.name}?`}
      confirm="Revoke the client"
      busy={revoke.isPending}
      error={revoke.error}
      onClose={onClose}
      onConfirm={() =>
        revoke.mutate(client.id, {
          onSuccess: () => {
            toast.done(`${client.name} no longer works`);
            onClose();
          },
        })
      }
    >
      <p>
        The tools door refuses it from now on, its access tokens included, and uploads under way end. What it has pushed
        stays. It can't be given back, and neither can its certificate; make a new one instead.
      </p>
      <p>
        {client.lastUsedAt === null ? (
          "It was never used."
        ) : (
          <>
            It was last used <RelativeTime at={client.lastUsedAt} />.
          </>
        )}
      </p>
    </ConfirmDialog>
  );
}
