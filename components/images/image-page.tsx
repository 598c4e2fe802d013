"use client";

import { useQuery } from "@tanstack/react-query";
import { ShieldCheck, ShieldQuestionMark, ShieldX } from "lucide-react";
import dynamic from "next/dynamic";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { parseAsString, useQueryState } from "nuqs";
import { GuardedButton } from "#components/shell/me.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Explain } from "#components/ui/explain.tsx";
import { Columns, PageHead } from "#components/ui/page.tsx";
import { Pill, VERIFICATION_STATE } from "#components/ui/status.tsx";
import { Tag } from "#components/ui/tag.tsx";
import { AbsoluteTime, BriefTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { withQuery } from "#lib/client/fetcher.ts";
import { bytes, count, plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { Image } from "#lib/contracts/console/images.ts";

const DeleteImageDialog = dynamic(() => import("./delete-image-dialog.tsx").then((module) => module.DeleteImageDialog));

const CHECKS: Record<Image["verification"]["checks"][number]["check"], string> = {
  root: "Root of trust",
  timestamp: "Timestamp",
  snapshot: "Snapshot",
  targets: "Signature",
  length: "Length",
  digest: "Digest",
  commit: "OSTree commit",
  openpgp: "OpenPGP",
};
const RESULTS = {
  ok: { icon: ShieldCheck, ink: "text-ok", word: "checked" },
  failed: { icon: ShieldX, ink: "text-bad", word: "failed" },
  not_checked: { icon: ShieldQuestionMark, ink: "text-idle", word: "not checked" },
};

export function ImagePage({ filename }: { filename: string }) {
  const router = useRouter();
  const [open, setOpen] = useQueryState("open", parseAsString.withDefault(""));
  const {
    data: image,
    error,
    refetch,
  } = useQuery({
    queryKey: keys.images.one(filename),
    queryFn: ({ signal }) => api.getImage(filename, signal),
  });
  if (image === undefined) {
    return error === null ? null : <ErrorPanel what="The image" error={error} retry={() => void refetch()} />;
  }
  const look = VERIFICATION_STATE[image.verification.state];
  const mismatch = image.verification.state === "mismatch";
  return (
    <>
      <PageHead
        trail={{ href: "/images", label: "Images" }}
        title={
          <>
            {image.name} <span className="num font-normal text-ink-2">{image.version}</span>
          </>
        }
        beside={
          <Pill tone={look.tone} icon={look.icon} tip={look.hint}>
            {look.word}
          </Pill>
        }
        meta={<span className="mono">{image.filename}</span>}
        actions={
          <>
            <GuardedButton permission="image.delete" look="danger" onClick={() => void setOpen("delete")}>
              Delete…
            </GuardedButton>
            <GuardedButton
              permission="update.launch"
              look="primary"
              disabled={mismatch}
              onClick={() => router.push(withQuery("/updates/new", { image: image.filename }))}
            >
              Update devices…
            </GuardedButton>
          </>
        }
      />
      <Columns
        aside={
          <>
            <Card title="Where it is">
              <Facts
                rows={[
                  [
                    "Installed",
                    image.installedOn === 0 ? (
                      "on no device"
                    ) : (
                      <Link key="installed" href={withQuery("/devices", { image: image.filename })} className="link">
                        on {plural(image.installedOn, "device")}
                      </Link>
                    ),
                  ],
                  ["Assigned", image.assignedTo === 0 ? "to no device" : `to ${plural(image.assignedTo, "device")}`],
                ]}
              />
            </Card>
            <Card title="Details">
              <Facts
                rows={[
                  [
                    "Hardware",
                    <span key="hardware" className="flex flex-wrap gap-1">
                      {image.hardwareIds.map((id) => (
                        <Tag key={id}>{id}</Tag>
                      ))}
                    </span>,
                  ],
                  ["Format", image.format === "OSTREE" ? "OSTree commit" : "Binary file"],
                  [
                    "Size",
                    <span key="size" className="num" data-tip={`${count(image.length)} bytes`}>
                      {bytes(image.length)}
                    </span>,
                  ],
                  ["SHA-256", <Digest key="digest" value={image.sha256} label="digest" />],
                  ["Added", <AbsoluteTime key="at" at={image.createdAt} />],
                ]}
              />
            </Card>
          </>
        }
      >
        <Card title="Verification" aside={<Explain term="digest">what is checked?</Explain>}>
          <ul>
            {image.verification.checks.map(({ check, result, text, keyIds, at }) => {
              const { icon: Icon, ink, word } = RESULTS[result];
              return (
                <li
                  key={check}
                  className="grid grid-cols-[20px_minmax(0,1fr)] gap-x-2 border-b border-line py-2 first:pt-0 last:border-0 last:pb-0 sm:grid-cols-[20px_112px_minmax(0,1fr)_auto]"
                >
                  <Icon aria-hidden className={`mt-0.5 size-4 ${ink}`} />
                  <span className="font-strong">
                    {CHECKS[check]}
                    <span className="sr-only">: {word}</span>
                  </span>
                  <span className="min-w-0 text-ink-2 wrap-anywhere max-sm:col-start-2">
                    {text}
                    {keyIds.length === 0 ? null : (
                      <span className="flex flex-wrap items-center gap-x-2 text-sm text-ink-3">
                        key
                        {keyIds.map((id) => (
                          <Digest key={id} value={id} label="key id" />
                        ))}
                      </span>
                    )}
                  </span>
                  {at === null ? null : (
                    <span className="num text-sm leading-5 text-ink-3 max-sm:hidden">
                      <BriefTime at={at} />
                    </span>
                  )}
                </li>
              );
            })}
          </ul>
          {image.verification.checks.length === 0 ? <p className="text-ink-2">Nothing was checked yet.</p> : null}
        </Card>
      </Columns>
      {open === "delete" ? <DeleteImageDialog image={image} onClose={() => void setOpen(null)} /> : null}
    </>
  );
}
