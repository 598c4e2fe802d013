"use client";

import { LackNote } from "#components/shell/lack-note.tsx";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { count, plural } from "#lib/client/format.ts";
import { useCancelUpdate } from "#lib/client/mutations.ts";
import type { Update } from "#lib/contracts/console/updates.ts";
import { openCount } from "./counts.ts";

/** What is taken back, what may still happen, and what stays. */
export function CancelDialog({ update, onClose }: { update: Update; onClose: () => void }) {
  const cancel = useCancelUpdate(update.id);
  const { counts } = update;
  const open = openCount(counts);
  const begun = counts.downloading + counts.installing + counts.rebooting;
  return (
    <ConfirmDialog
      title="Cancel this update?"
      confirm={`Cancel for ${plural(open, "device")}`}
      affects={open}
      busy={cancel.isPending}
      error={cancel.error}
      onClose={onClose}
      onConfirm={() =>
        cancel.mutate(undefined, {
          onSuccess: () => {
            toast.done(`${update.name} is cancelled`);
            onClose();
          },
        })
      }
    >
      <p>
        {plural(open, "device")} {open === 1 ? "has" : "have"} not finished; {open === 1 ? "its" : "their"} assignment
        is taken back.
        {begun > 0
          ? ` ${plural(begun, "device")} already began: ${begun === 1 ? "it is" : "they are"} told to keep what ${begun === 1 ? "it runs" : "they run"}, but may finish first.`
          : ""}
      </p>
      <LackNote backend="director" capability="cancel_in_flight" />
      {counts.updated > 0 ? <p>{count(counts.updated)} already updated stay as they are.</p> : null}
    </ConfirmDialog>
  );
}
