"use client";

import { KeyRound } from "lucide-react";
import { useState } from "react";
import { LifetimeField, NameField } from "#components/access/fields.tsx";
import { useLack } from "#components/shell/use-lack.ts";
import { Callout } from "#components/ui/callout.tsx";
import { Checkbox } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { useBuildCredentials } from "#lib/client/mutations.ts";
import { ArchivePanel } from "./archive-panel.tsx";

/** Makes the credentials.zip of build tools and shows it this one time. */
export function BuildDialog({ onClose }: { onClose: () => void }) {
  const build = useBuildCredentials();
  const [name, setName] = useState("");
  const [days, setDays] = useState(365);
  const [offlineKeys, setOfflineKeys] = useState(false);
  const [withTargetsKey, setWithTargetsKey] = useState(false);
  const noTargetsKey = useLack("reposerver", "targets_key_export");
  if (build.data !== undefined) {
    const warning =
      "Whoever has this file can push images in the name of this client. If it is lost, revoke the client and make another one.";
    return (
      <ArchivePanel title={`Credentials of ${name}`} warning={warning} archive={build.data.archive} onClose={onClose} />
    );
  }
  return (
    <FormDialog
      title="Credentials of build tools"
      description="A credentials.zip for garage-push, garage-sign and their relatives, with a machine client of its own."
      submit="Make the archive"
      refused="Not made"
      disabled={name.trim() === ""}
      busy={build.isPending}
      error={build.error}
      fields={["name"]}
      onSubmit={() => {
        const expires = days === 0 ? {} : { expiresInDays: days };
        build.mutate({ name: name.trim(), offlineKeys, withTargetsKey, ...expires });
      }}
      onClose={onClose}
    >
      <NameField
        name={name}
        example="nightly build, release"
        error={fieldError(build.error, "name")}
        onChange={setName}
      />
      <LifetimeField days={days} onChange={setDays} />
      <Checkbox
        label="May change keys"
        hint="Lets garage-sign take the targets key offline, rotate keys and push a root."
        checked={offlineKeys}
        onChange={(event) => setOfflineKeys(event.target.checked)}
      />
      <Checkbox
        label="Put the private targets key in"
        hint={noTargetsKey ?? "Only for tools that sign the list of images by themselves."}
        disabled={noTargetsKey !== null}
        checked={withTargetsKey}
        onChange={(event) => setWithTargetsKey(event.target.checked)}
      />
      {withTargetsKey ? (
        <Callout tone="bad" icon={KeyRound} title="Whoever has this key can sign any image for the whole fleet.">
          The audit log will say that you took it out. Keep the file where you keep signing keys.
        </Callout>
      ) : null}
    </FormDialog>
  );
}
