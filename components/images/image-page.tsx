"use client";

import { useQuery } from "@tanstack/react-query";
import dynamic from "next/dynamic";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { parseAsString, useQueryState } from "nuqs";
import { useImagesLock } from "#components/keys/use-images-lock.ts";
import { GuardedButton } from "#components/shell/me.tsx";
import { Card, Facts } from "#components/ui/card.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Columns, PageHead } from "#components/ui/page.tsx";
import { Pill, VERIFICATION_STATE } from "#components/ui/status.tsx";
import { Tag } from "#components/ui/tag.tsx";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { withQuery } from "#lib/client/fetcher.ts";
import { bytes, count, plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import { VerificationPanel } from "./verification-panel.tsx";

const DeleteImageDialog = dynamic(() => import("./delete-image-dialog.tsx").then((module) => module.DeleteImageDialog));

export function ImagePage({ filename }: { filename: string }) {
  const router = useRouter();
  const [open, setOpen] = useQueryState("open", parseAsString.withDefault(""));
  const lock = useImagesLock();
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
            <GuardedButton
              permission="image.delete"
              blocked={lock}
              look="danger"
              onClick={() => void setOpen("delete")}
            >
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
        <VerificationPanel image={image} />
      </Columns>
      {open === "delete" && lock === null ? (
        <DeleteImageDialog image={image} onClose={() => void setOpen(null)} />
      ) : null}
    </>
  );
}
