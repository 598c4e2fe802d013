"use client";

import { Download, TriangleAlert } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Facts } from "#components/ui/card.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { Fingerprint } from "#components/ui/digest.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { save, tarOf } from "#lib/client/tar.ts";
import type { CredentialBundle } from "#lib/contracts/console/devices.ts";

const FILES = [
  { name: "pkey.pem", what: "the private key" },
  { name: "client.pem", what: "its certificate" },
  { name: "root.crt", what: "what the door's certificate is checked against" },
  { name: "gateway.url", what: "the door's address" },
  { name: "sota.toml", what: "configuration of aktualizr" },
] as const;

type CredentialsPanelProps = { name: string; bundle: CredentialBundle; onClose: () => void };

/** Shown once: the server keeps no copy of the private key, so leaving without it is asked about. */
export function CredentialsPanel({ name, bundle, onClose }: CredentialsPanelProps) {
  const [saved, setSaved] = useState<ReadonlySet<string>>(new Set());
  const [leaving, setLeaving] = useState(false);
  const keySaved = saved.has("pkey.pem");
  const saveOne = (file: keyof CredentialBundle["files"]) => {
    save(new Blob([bundle.files[file]], { type: "text/plain" }), file);
    setSaved(new Set([...saved, file]));
  };
  const saveAll = () => {
    const folder = name.replace(/[^\w.-]+/g, "-").slice(0, 60) || bundle.uuid;
    const files = FILES.map((file) => ({
      name: `${folder}/${file.name}`,
      text: bundle.files[file.name],
      mode: file.name === "pkey.pem" ? 0o600 : 0o644,
    }));
    save(tarOf(files, new Date()), `${folder}.tar`);
    setSaved(new Set(FILES.map((file) => file.name)));
  };
  const leave = () => (keySaved ? onClose() : setLeaving(true));
  return (
    <Dialog
      title={`Credentials of ${name}`}
      onClose={leave}
      sticky
      footer={
        leaving && !keySaved ? (
          <>
            <span className="flex-1 text-bad">Without the key this device can never connect.</span>
            <Button onClick={onClose}>Close without it</Button>
            <Button look="primary" onClick={saveAll}>
              Download all
            </Button>
          </>
        ) : (
          <Button look={keySaved ? "primary" : "plain"} onClick={leave}>
            Done
          </Button>
        )
      }
    >
      <div className="grid gap-4">
        <Callout tone="warn" icon={TriangleAlert} title="The private key is shown only now">
          Nobody can get it again, not from here and not from the server. Whoever has it can pose as this device.
        </Callout>
        <div className="rounded-lg border border-line">
          <div className="flex items-center gap-2 border-b border-line px-3 py-2">
            <span className="flex-1 font-medium">Five files</span>
            <Button look={keySaved ? "plain" : "primary"} size="sm" onClick={saveAll}>
              <Download aria-hidden />
              Download all (.tar)
            </Button>
          </div>
          <ul>
            {FILES.map((file) => (
              <li key={file.name} className="flex items-center gap-2 border-b border-line px-3 py-1 last:border-0">
                <span className="mono">{file.name}</span>
                <span className="min-w-0 flex-1 truncate text-sm text-ink-3">{file.what}</span>
                <Button look="quiet" size="sm" aria-label={`Download ${file.name}`} onClick={() => saveOne(file.name)}>
                  <Download aria-hidden />
                  {saved.has(file.name) ? "Saved" : "Save"}
                </Button>
              </li>
            ))}
          </ul>
        </div>
        <p className="text-ink-2">
          Copy the files to <span className="mono">/var/sota/import/</span> on the device and{" "}
          <span className="mono">sota.toml</span> also to <span className="mono">/etc/sota/conf.d/</span>, then start
          aktualizr. The device shows up as soon as it comes through the door.
        </p>
        <Facts
          rows={[
            [
              "Device",
              <Link key="device" href={`/devices/${bundle.uuid}`} className="link mono">
                {bundle.uuid}
              </Link>,
            ],
            ["Fingerprint", <Fingerprint key="fingerprint" value={bundle.fingerprint} />],
            ["Valid until", <AbsoluteTime key="until" at={bundle.notAfter} dateOnly />],
          ]}
        />
      </div>
    </Dialog>
  );
}
