"use client";

import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError } from "#components/ui/form-error.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { toast } from "#components/ui/toast.tsx";
import { afterwards } from "#lib/client/afterwards.ts";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";
import { useAddOpenpgpKey, useRemoveOpenpgpKey } from "#lib/client/mutations.ts";

/** The OpenPGP keys whose signatures over images count. */
export function OpenpgpKeysDialog({ onClose }: { onClose: () => void }) {
  const formId = useId();
  const add = useAddOpenpgpKey();
  const remove = useRemoveOpenpgpKey();
  const [file, setFile] = useState<File | null>(null);
  const { data, error, refetch } = useQuery({
    queryKey: keys.images.openpgpKeys,
    queryFn: ({ signal }) => api.listOpenpgpKeys(signal),
  });
  return (
    <Dialog
      title="Trusted OpenPGP keys"
      description="An image may carry signatures besides the repository's own. Those by these keys count."
      onClose={onClose}
      footer={<Button onClick={onClose}>Close</Button>}
    >
      <div className="grid gap-4">
        {error === null ? null : <ErrorPanel what="The list of keys" error={error} retry={() => void refetch()} />}
        {data?.data.length === 0 ? <p className="text-ink-2">No key is trusted yet.</p> : null}
        <ul className="divide-y divide-line">
          {data?.data.map(({ fingerprint, name, addedAt, addedBy }) => (
            <li key={fingerprint} className="flex items-start gap-3 py-2">
              <div className="min-w-0 flex-1">
                <p className="font-strong wrap-anywhere">{name}</p>
                <p className="flex flex-wrap gap-x-2 text-sm text-ink-3">
                  <Digest value={fingerprint} label="fingerprint" />
                  <span>
                    added by {addedBy}, <AbsoluteTime at={addedAt} />
                  </span>
                </p>
              </div>
              <GuardedButton
                permission="image.trust"
                look="danger"
                size="sm"
                busy={remove.isPending}
                onClick={() =>
                  afterwards(remove.mutateAsync(fingerprint), () => toast.done(`${name} is trusted no longer`))
                }
              >
                Remove
              </GuardedButton>
            </li>
          ))}
        </ul>
        <form
          id={formId}
          className="grid gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            if (file === null) return;
            afterwards(
              file.text().then((armored) => add.mutateAsync(armored)),
              ({ name }) => toast.done(`${name} is trusted`),
            );
          }}
        >
          <Field label="Public key" hint="The armored file of gpg --armor --export">
            <Input
              type="file"
              className="h-auto py-1.5"
              onChange={(event) => setFile(event.target.files?.[0] ?? null)}
            />
          </Field>
          <div>
            <GuardedButton
              permission="image.trust"
              type="submit"
              look="primary"
              busy={add.isPending}
              disabled={file === null}
            >
              Trust this key
            </GuardedButton>
          </div>
          <FormError what="Not trusted" error={add.error ?? remove.error} />
        </form>
      </div>
    </Dialog>
  );
}
