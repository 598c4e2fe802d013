"use client";

import { useRouter } from "next/navigation";
import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { plural } from "#lib/client/format.ts";
import { useDeleteImage } from "#lib/client/mutations.ts";
import type { Image } from "#lib/contracts/console/images.ts";

export function DeleteImageDialog({ image, onClose }: { image: Image; onClose: () => void }) {
  const router = useRouter();
  const remove = useDeleteImage();
  const assigned = image.assignedTo > 0;
  return (
    <ConfirmDialog
      title={`Delete ${image.filename}?`}
      confirm="Delete the image"
      blocked={assigned}
      busy={remove.isPending}
      error={remove.error}
      onClose={onClose}
      onConfirm={() =>
        remove.mutate(image.filename, {
          onSuccess: () => {
            toast.done(`${image.filename} is deleted`);
            router.push("/images");
          },
        })
      }
    >
      {assigned ? (
        <p>
          It is assigned to {plural(image.assignedTo, "device")}, which would look for it in vain. Let the update end,
          or cancel it, then delete.
        </p>
      ) : (
        <>
          <p>Its bytes and its place in the signed metadata go. No update can install it any more.</p>
          <p>
            {image.installedOn === 0
              ? "No device runs it."
              : `${plural(image.installedOn, "device")} that run${image.installedOn === 1 ? "s" : ""} it keep${image.installedOn === 1 ? "s" : ""} it.`}{" "}
            Its name stays taken: only the same bytes may come back under it.
          </p>
        </>
      )}
    </ConfirmDialog>
  );
}
