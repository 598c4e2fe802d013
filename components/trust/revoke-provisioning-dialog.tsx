"use client";

import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { count } from "#lib/client/format.ts";
import { useRevokeProvisioningCredential } from "#lib/client/mutations.ts";
import type { ProvisioningCredential } from "#lib/contracts/console/credentials.ts";

type RevokeProvisioningDialogProps = { credential: ProvisioningCredential; onClose: () => void };

export function RevokeProvisioningDialog({ credential, onClose }: RevokeProvisioningDialogProps) {
  const revoke = useRevokeProvisioningCredential();
  const { description, usesAllowed, usesLeft } = credential;
  return (
    <ConfirmDialog
      title={`Revoke the credential ${description}?`}
      confirm="Revoke the credential"
      busy={revoke.isPending}
      error={revoke.error}
      onClose={onClose}
      onConfirm={() =>
        revoke.mutate(credential.id, {
          onSuccess: () => {
            toast.done(`Nobody registers with ${description} any more`);
            onClose();
          },
        })
      }
    >
      <p>No further device registers with it, from now on and for good.</p>
      <p>
        The {count(usesAllowed - usesLeft)} that did keep their own certificates: revoke those one by one if you must.
      </p>
    </ConfirmDialog>
  );
}
