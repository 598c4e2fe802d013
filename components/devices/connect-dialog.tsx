"use client";

import { useState } from "react";
import { useCan } from "#components/shell/me.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Segmented } from "#components/ui/segmented.tsx";
import { useIssueDevice } from "#lib/client/mutations.ts";
import { CredentialsPanel } from "./credentials-panel.tsx";
import { IssueForm } from "./issue-form.tsx";
import { SimulateForm } from "./simulate-form.tsx";

/** Two ways to a first device: credentials for hardware of one's own, or a simulated one. */
export function ConnectDialog({ simulations, onClose }: { simulations: boolean; onClose: () => void }) {
  const [kind, setKind] = useState<"own" | "simulated">("own");
  const [name, setName] = useState("");
  const maySimulate = useCan("simulation.manage") && simulations;
  const mayIssue = useCan("device.issue");
  const issue = useIssueDevice();
  const bundle = issue.data;
  if (bundle !== undefined) return <CredentialsPanel name={name} bundle={bundle} onClose={onClose} />;
  return (
    <Dialog title="Connect a device" onClose={onClose}>
      <div className="grid gap-4">
        {maySimulate ? (
          <Segmented
            label="What to connect"
            value={kind}
            onChange={setKind}
            options={[
              { value: "own", label: "A device of yours" },
              { value: "simulated", label: "A simulated device" },
            ]}
          />
        ) : null}
        {kind === "simulated" ? (
          <SimulateForm onDone={onClose} />
        ) : mayIssue ? (
          <IssueForm
            busy={issue.isPending}
            error={issue.error}
            onIssue={(body) => {
              setName(body.name);
              issue.mutate(body);
            }}
          />
        ) : (
          <p className="text-ink-2">Issuing credentials needs the permission device.issue, which admins have.</p>
        )}
      </div>
    </Dialog>
  );
}
