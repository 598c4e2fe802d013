"use client";

import { Download, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { Callout } from "#components/ui/callout.tsx";
import { Dialog } from "#components/ui/dialog.tsx";
import { save } from "#lib/client/tar.ts";
import type { CredentialArchive } from "#lib/contracts/console/credentials.ts";

type ArchivePanelProps = { title: string; warning: string; archive: CredentialArchive; onClose: () => void };

/** Shown once, each file with who reads it: the server keeps no copy, so leaving without it is asked about. */
export function ArchivePanel({ title, warning, archive, onClose }: ArchivePanelProps) {
  const [saved, setSaved] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const download = () => {
    save(new Blob([bytesOf(archive.archiveBase64)], { type: "application/zip" }), archive.filename);
    setSaved(true);
  };
  return (
    <Dialog
      title={title}
      onClose={() => (saved ? onClose() : setLeaving(true))}
      sticky
      footer={
        leaving && !saved ? (
          <>
            <span className="flex-1 text-bad">It can't be made again, only a new one.</span>
            <Button onClick={onClose}>Close without it</Button>
            <Button look="primary" onClick={download}>
              Download
            </Button>
          </>
        ) : saved ? (
          <Button look="primary" onClick={onClose}>
            Done
          </Button>
        ) : (
          <Button look="primary" onClick={download}>
            <Download aria-hidden />
            Download {archive.filename}
          </Button>
        )
      }
    >
      <div className="grid gap-4">
        <Callout tone="warn" icon={TriangleAlert} title="It is handed out only now">
          {warning}
        </Callout>
        <dl className="rounded-lg border border-line">
          {archive.entries.map(({ name, readBy }) => (
            <div key={name} className="border-b border-line px-3 py-2 last:border-0">
              <dt className="mono">{name}</dt>
              <dd className={readBy.includes("PRIVATE") ? "text-sm text-bad" : "text-sm text-ink-2"}>{readBy}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  );
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
