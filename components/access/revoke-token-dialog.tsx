"use client";

import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useRevokeToken } from "#lib/client/mutations.ts";
import type { ApiToken } from "#lib/contracts/console/accounts.ts";

export function RevokeTokenDialog({ token, onClose }: { token: ApiToken; onClose: () => void }) {
  const revoke = useRevokeToken();
  return (
    <ConfirmDialog
      title={`Revoke the token ${token.name}?`}
      confirm="Revoke the token"
      busy={revoke.isPending}
      error={revoke.error}
      onClose={onClose}
      onConfirm={() =>
        revoke.mutate(token.id, {
          onSuccess: () => {
            toast.done(`${token.name} no longer works`);
            onClose();
          },
        })
      }
    >
      <p>What uses it is refused from now on. It can't be given back; make a new one instead.</p>
      <p>
        {token.lastUsedAt === null ? (
          "It was never used."
        ) : (
          <>
            It was last used <RelativeTime at={token.lastUsedAt} />.
          </>
        )}
      </p>
    </ConfirmDialog>
  );
}
