"use client";

import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useRemoveAllowlistEntry } from "#lib/client/admission.ts";
import { afterwards } from "#lib/client/afterwards.ts";
import type { AllowlistEntry } from "#lib/contracts/console/allowlist.ts";

export function RemoveEntryDialog({ entry, onClose }: { entry: AllowlistEntry; onClose: () => void }) {
  const remove = useRemoveAllowlistEntry();
  const submit = () =>
    afterwards(remove.mutateAsync(entry.id), () => {
      toast.done("Taken off the allowlist");
      onClose();
    });
  return (
    <ConfirmDialog
      title={`Take ${entry.name ?? "this entry"} off the allowlist?`}
      confirm="Remove 1 entry"
      busy={remove.isPending}
      error={remove.error}
      onConfirm={submit}
      onClose={onClose}
    >
      <p className="mono wrap-anywhere">{entry.value}</p>
      <p>
        {entry.usedBy === null
          ? "A certificate that comes with it waits for approval then, or is refused, as its authority says."
          : "The certificate that came in with it stays allowed; revoke it if it should not."}
      </p>
    </ConfirmDialog>
  );
}
