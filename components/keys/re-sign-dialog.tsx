"use client";

import { ConfirmDialog } from "#components/ui/confirm-dialog.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useReSign } from "#lib/client/mutations.ts";
import type { KeyRepository } from "#lib/contracts/console/keys.ts";
import { REPOSITORY_TITLE } from "./words.ts";

/** Shows which document gets which version before anything is signed. */
export function ReSignDialog({ repository, onClose }: { repository: KeyRepository; onClose: () => void }) {
  const reSign = useReSign(repository.repository);
  const documents = repository.roles.filter(({ role, version }) => role !== "root" && version !== null);
  return (
    <ConfirmDialog
      title={`Sign again now · ${REPOSITORY_TITLE[repository.repository]}`}
      confirm="Sign again"
      danger={false}
      busy={reSign.isPending}
      error={reSign.error}
      onClose={onClose}
      onConfirm={() =>
        reSign.mutate(undefined, {
          onSuccess: () => {
            toast.done("Signed again");
            onClose();
          },
        })
      }
    >
      {documents.length === 0 ? (
        <p>
          Every device's metadata is made anew at its next fetch, one version higher. Nothing that is assigned changes.
        </p>
      ) : (
        <ul className="grid gap-1">
          {documents.map(({ role, version, renewal }) => (
            <li key={role} className="num">
              {role}: version {version}
              {renewal === "automatic" ? ` becomes ${(version ?? 0) + 1}` : " stays: its key is not here"}
            </li>
          ))}
        </ul>
      )}
      <p>The root stays as it is. Devices find the new versions at their next poll.</p>
    </ConfirmDialog>
  );
}
