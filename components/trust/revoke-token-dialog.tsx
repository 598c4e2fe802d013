"use client";

import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { count } from "#lib/client/format.ts";
import { useRevokeEnrolmentToken } from "#lib/client/mutations.ts";
import type { EnrolmentToken } from "#lib/contracts/console/enrolment.ts";

export function RevokeTokenDialog({ token, onClose }: { token: EnrolmentToken; onClose: () => void }) {
  const revoke = useRevokeEnrolmentToken();
  const { description, usesAllowed, usesLeft } = token;
  return (
    <ConfirmDialog
      title={`Revoke the token ${description}?`}
      confirm="Revoke the token"
      busy={revoke.isPending}
      error={revoke.error}
      onClose={onClose}
      onConfirm={() =>
        revoke.mutate(token.id, {
          onSuccess: () => {
            toast.done(`Nobody enrols with ${description} any more`);
            onClose();
          },
        })
      }
    >
      <p>No further device enrols with it, from now on and for good.</p>
      <p>
        The {count(usesAllowed - usesLeft)} that did keep their certificates and renew them: revoke those if you must.
      </p>
    </ConfirmDialog>
  );
}
