"use client";

import { useEffect } from "react";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useRehearseRotation, useRotateKeys } from "#lib/client/mutations.ts";
import type { KeyChange, RepositoryName } from "#lib/contracts/console/keys.ts";
import { CheckList } from "./check-list.tsx";
import { REPOSITORY_TITLE } from "./words.ts";

/** Rehearsed as soon as it opens; nothing is rotated before every check has passed. */
export function RotateDialog({ repository, onClose }: { repository: RepositoryName; onClose: () => void }) {
  const rehearsal = useRehearseRotation(repository);
  const rotate = useRotateKeys(repository);
  const { mutate: rehearse } = rehearsal;
  useEffect(() => rehearse(), [rehearse]);
  const passed = rehearsal.data?.checks.every(({ state }) => state === "passed") ?? false;
  if (rotate.data !== undefined) return <Rotated repository={repository} change={rotate.data} onClose={onClose} />;
  return (
    <Dialog
      title={`Rotate the root keys · ${REPOSITORY_TITLE[repository]}`}
      description="First a rehearsal: the new keys are made, used, checked as a device checks them, and thrown away again."
      onClose={onClose}
      sticky={rotate.isPending}
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          <Button
            look="danger-solid"
            busy={rotate.isPending}
            disabled={!passed}
            onClick={() => rotate.mutate(undefined, { onSuccess: () => toast.done("Root and targets have new keys") })}
          >
            Rotate root keys
          </Button>
        </>
      }
    >
      <div className="grid gap-3" aria-busy={rehearsal.isPending}>
        {rehearsal.isPending || rehearsal.isIdle ? (
          <p role="status" className="text-ink-2">
            Rehearsing…
          </p>
        ) : null}
        {rehearsal.data === undefined ? null : <CheckList {...rehearsal.data} />}
        {rehearsal.data === undefined || passed ? null : (
          <p className="font-strong text-bad">The rehearsal failed. Nothing was changed, and nothing can be rotated.</p>
        )}
        {rehearsal.error === null ? null : <ErrorPanel what="Not rehearsed" error={rehearsal.error} retry={rehearse} />}
        {rotate.error === null ? null : <ErrorPanel what="Not rotated" error={rotate.error} />}
      </div>
    </Dialog>
  );
}

function Rotated({
  repository,
  change,
  onClose,
}: {
  repository: RepositoryName;
  change: KeyChange;
  onClose: () => void;
}) {
  return (
    <Dialog
      title={`Rotated · ${REPOSITORY_TITLE[repository]}`}
      description="What is served now, checked once more as a device checks it."
      onClose={onClose}
      footer={
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <CheckList checks={change.checks} consequences={[]} />
    </Dialog>
  );
}
