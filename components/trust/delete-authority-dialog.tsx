"use client";

import { useRouter } from "next/navigation";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { useDeleteAuthority } from "#lib/client/authority-mutations.ts";
import type { Authority } from "#lib/contracts/console/authorities.ts";

/** For an upload by mistake: one that never counted leaves nothing behind. */
export function DeleteAuthorityDialog({ authority, onClose }: { authority: Authority; onClose: () => void }) {
  const router = useRouter();
  const remove = useDeleteAuthority(authority.id);
  return (
    <ConfirmDialog
      title={`Delete ${authority.name}?`}
      confirm="Delete the authority"
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() =>
        afterwards(remove.mutateAsync(undefined), () => {
          toast.done(`${authority.name} is deleted`);
          router.push("/trust/authorities");
        })
      }
      onClose={onClose}
    >
      <p>
        Nobody has proved to have its key, so it never admitted anybody: no device is touched. A code that was given out
        for it stops counting, and allowlist entries that name it match nothing any more.
      </p>
      <p>
        It can be uploaded again. To keep its key out for good, revoke it instead: that holds even for another
        certificate of the same key.
      </p>
    </ConfirmDialog>
  );
}
