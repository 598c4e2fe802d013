"use client";

import { TriangleAlert } from "lucide-react";
import Link from "next/link";
import { useId, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { CodeLine } from "#components/ui/code-line.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Field, Input } from "#components/ui/field.tsx";
import { FormError, fieldError } from "#components/ui/form-error.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useTakeKeyOffline } from "#lib/client/mutations.ts";
import type { RepositoryName } from "#lib/contracts/console/keys.ts";
import { REPOSITORY_TITLE, shortKeyId } from "./words.ts";

export type OfflineKey = {
  repository: RepositoryName;
  role: string;
  keyId: string;
  /** Then garage-sign can't fetch it, and its holder signs the next root. */
  isRootOffline: boolean;
};

/** How a key moves elsewhere, and, apart from that, deleting the private part here. It never passes through the browser. */
export function OfflineDialog({
  taken: { repository, role, keyId, isRootOffline },
  toolsUrl,
  onClose,
}: {
  taken: OfflineKey;
  toolsUrl: string;
  onClose: () => void;
}) {
  const formId = useId();
  const take = useTakeKeyOffline(repository);
  const [confirm, setConfirm] = useState("");
  const isTyped = confirm.trim().toLowerCase() === shortKeyId(keyId);
  return (
    <Dialog
      title={`Take the ${role} key offline · ${REPOSITORY_TITLE[repository]}`}
      description="An offline key can't be taken from this server. Whoever holds it signs the next versions by hand."
      width="lg"
      sticky
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep as it is</Button>
          <Button type="submit" form={formId} look="danger-solid" busy={take.isPending} disabled={!isTyped}>
            Delete the private key here
          </Button>
        </>
      }
    >
      <div className="grid gap-4">
        {isRootOffline ? (
          <p className="text-ink-2">
            The root key is offline already. Whoever holds it signs a next root that lists another {role} key; upload it
            under Signed root, and this key is deleted here.
          </p>
        ) : (
          <Steps repository={repository} toolsUrl={toolsUrl} />
        )}
        <form
          id={formId}
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            if (!isTyped || take.isPending) return;
            take.mutate(
              { keyId, confirm },
              {
                onSuccess: () => {
                  toast.done(`The private ${role} key is gone from here`);
                  onClose();
                },
              },
            );
          }}
        >
          <Callout
            tone="warn"
            icon={TriangleAlert}
            title="Or delete it here only, when you have kept it elsewhere already"
          >
            {consequenceOf(role)} It can't be undone, and nobody can give the key back.
          </Callout>
          <Field
            label={`Type ${shortKeyId(keyId)} to confirm`}
            hint="The first eight characters of the key's id"
            error={fieldError(take.error, "confirm")}
          >
            <Input
              className="mono"
              autoComplete="off"
              spellCheck={false}
              maxLength={64}
              value={confirm}
              onChange={(event) => setConfirm(event.target.value)}
            />
          </Field>
          <FormError what="Not deleted" error={take.error} fields={["confirm"]} />
        </form>
      </div>
    </Dialog>
  );
}

function consequenceOf(role: string): string {
  return role === "root"
    ? "From then on the root is not renewed by itself: sign the next one before it ends, or no device that polls updates any more."
    : "From then on images can't be uploaded, changed or deleted from here until targets are signed offline, and targets are not renewed by themselves.";
}

function Steps({ repository, toolsUrl }: { repository: RepositoryName; toolsUrl: string }) {
  return (
    <section className="grid gap-2" aria-label="With garage-sign">
      <h3 className="font-strong">With garage-sign, where the keys are to be</h3>
      <p className="text-ink-2">
        It makes new keys, fetches the old root key, deletes it here, and uploads the new root. It comes in through{" "}
        <span className="mono wrap-anywhere">{toolsUrl}</span>, with a credentials.zip that may take keys offline: make
        it under{" "}
        <Link href="/access" className="link underline">
          Access, Build tools
        </Link>
        .
      </p>
      {commandsOf(repository).map(([label, code]) => (
        <CodeLine key={code} label={label} code={code} />
      ))}
    </section>
  );
}

const REPO = { image: "images", director: "director" } as const;

function commandsOf(repository: RepositoryName): readonly (readonly [string, string])[] {
  const repo = `--repo ${REPO[repository]}`;
  const kind = repository === "director" ? " --servertype director" : "";
  const rootKey = ["Make a root key", `garage-sign key generate ${repo} --name offline-root --type ed25519`] as const;
  const init = ["Prepare", `garage-sign init ${repo} --credentials credentials.zip${kind}`] as const;
  const move = `garage-sign move-offline ${repo} --old-root-alias origin-root --new-root offline-root`;
  if (repository === "director") return [init, rootKey, ["Move the root offline", move]];
  return [
    init,
    rootKey,
    ["Make a targets key", `garage-sign key generate ${repo} --name offline-targets --type ed25519`],
    ["Move both offline", `${move} --new-targets offline-targets`],
    ["Fetch the targets", `garage-sign targets pull ${repo}`],
    ["Sign the targets", `garage-sign targets sign ${repo} --key-name offline-targets`],
    ["Upload the targets", `garage-sign targets push ${repo}`],
  ];
}
