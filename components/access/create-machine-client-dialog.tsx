"use client";

import { TriangleAlert } from "lucide-react";
import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Checkbox, Field, Textarea } from "#components/ui/field.tsx";
import { FormDialog } from "#components/ui/form-dialog.tsx";
import { fieldError } from "#components/ui/form-error.tsx";
import { TOOL_SCOPES, type ToolScope } from "#lib/authz/tool-scopes.ts";
import { useCreateMachineClient } from "#lib/client/mutations.ts";
import { LifetimeField, NameField } from "./fields.tsx";
import { SCOPE_TEXT } from "./scopes.ts";
import { SecretLine } from "./secret-line.tsx";

/** Makes a machine client and shows its secret this one time. */
export function CreateMachineClientDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateMachineClient();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly ToolScope[]>([]);
  const [certificatePem, setCertificatePem] = useState("");
  const [networks, setNetworks] = useState("");
  const [days, setDays] = useState(365);
  const sourceNetworks = networks.split(/[\s,]+/).filter((network) => network !== "");
  const networkPaths = ["sourceNetworks", ...sourceNetworks.map((_, index) => `sourceNetworks.${index}`)];
  if (create.data !== undefined) {
    return <ClientShown name={create.data.name} made={create.data} onClose={onClose} />;
  }
  return (
    <FormDialog
      title="New machine client"
      description="Lets garage-push, garage-sign and other build tools through the tools door."
      submit="Create the client"
      refused="Not created"
      disabled={name.trim() === "" || scopes.length === 0}
      busy={create.isPending}
      error={create.error}
      fields={["name", "certificatePem", ...networkPaths]}
      onSubmit={() =>
        create.mutate({
          name: name.trim(),
          scopes: [...scopes],
          ...(certificatePem.trim() === "" ? {} : { certificatePem }),
          ...(sourceNetworks.length === 0 ? {} : { sourceNetworks }),
          ...(days === 0 ? {} : { expiresInDays: days }),
        })
      }
      onClose={onClose}
    >
      <NameField
        name={name}
        example="nightly build, release"
        error={fieldError(create.error, "name")}
        onChange={setName}
      />
      <ScopeChoice scopes={scopes} onChange={setScopes} />
      <LifetimeField days={days} onChange={setDays} />
      <Field
        label="TLS client certificate"
        optional
        hint="PEM. As good as the secret; who issued it does not matter."
        error={fieldError(create.error, "certificatePem")}
      >
        <Textarea
          className="mono"
          spellCheck={false}
          maxLength={32_768}
          placeholder="-----BEGIN CERTIFICATE-----"
          value={certificatePem}
          onChange={(event) => setCertificatePem(event.target.value)}
        />
      </Field>
      <Field
        label="Source networks"
        optional
        hint="Addresses or ranges like 10.1.0.0/16 that it may come from; empty: from anywhere"
        error={networkPaths.map((path) => fieldError(create.error, path)).find((text) => text !== undefined)}
      >
        <Textarea
          className="mono"
          spellCheck={false}
          maxLength={3_000}
          placeholder="10.1.0.0/16"
          value={networks}
          onChange={(event) => setNetworks(event.target.value)}
        />
      </Field>
    </FormDialog>
  );
}

function ScopeChoice({
  scopes,
  onChange,
}: {
  scopes: readonly ToolScope[];
  onChange: (scopes: readonly ToolScope[]) => void;
}) {
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-1 font-medium">Scopes</legend>
      {TOOL_SCOPES.map((scope) => (
        <Checkbox
          key={scope}
          label={<code className="mono">{scope}</code>}
          hint={SCOPE_TEXT[scope]}
          checked={scopes.includes(scope)}
          onChange={(event) =>
            onChange(event.target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))
          }
        />
      ))}
    </fieldset>
  );
}

function ClientShown({
  name,
  made,
  onClose,
}: {
  name: string;
  made: { clientId: string; clientSecret: string };
  onClose: () => void;
}) {
  return (
    <Dialog
      title={`Machine client ${name}`}
      onClose={onClose}
      sticky
      footer={
        <Button look="primary" onClick={onClose}>
          I have kept it
        </Button>
      }
    >
      <div className="grid gap-3.5">
        <Callout tone="warn" icon={TriangleAlert} title="This is the only time the secret is shown.">
          Only its hash is kept here. If it is lost, revoke the client and make another one.
        </Callout>
        <SecretLine label="Client id" value={made.clientId} />
        <SecretLine label="Client secret" value={made.clientSecret} />
      </div>
    </Dialog>
  );
}
