"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Package, SearchX, Upload } from "lucide-react";
import dynamic from "next/dynamic";
import Link from "next/link";
import { parseAsString, useQueryState, useQueryStates } from "nuqs";
import { useState } from "react";
import { useImagesLock } from "#components/keys/use-images-lock.ts";
import { GuardedButton } from "#components/shell/me.tsx";
import { Button } from "#components/ui/button.tsx";
import { type Column, DataTable, type Sorting } from "#components/ui/data-table.tsx";
import { Digest } from "#components/ui/digest.tsx";
import { EmptyState } from "#components/ui/empty-state.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { PageHead } from "#components/ui/page.tsx";
import { Pager, usePaging } from "#components/ui/pager.tsx";
import { SearchField } from "#components/ui/search-field.tsx";
import { StatusBadge, VERIFICATION_STATE } from "#components/ui/status.tsx";
import { Tag } from "#components/ui/tag.tsx";
import { RelativeTime } from "#components/ui/time.tsx";
import { api } from "#lib/client/api.ts";
import { withQuery } from "#lib/client/fetcher.ts";
import { bytes, count, plural } from "#lib/client/format.ts";
import { IMAGE_PAGE_SIZE, imageParams, toImageQuery } from "#lib/client/image-params.ts";
import { keys } from "#lib/client/keys.ts";
import type { Image } from "#lib/contracts/console/images.ts";

const OpenpgpKeysDialog = dynamic(() => import("./openpgp-keys-dialog.tsx").then((module) => module.OpenpgpKeysDialog));
const UploadDialog = dynamic(() => import("./upload-dialog.tsx").then((module) => module.UploadDialog));

const COLUMNS: readonly Column<Image>[] = [
  {
    id: "image",
    head: "Image",
    sort: "filename",
    rowHeader: true,
    grow: true,
    wrap: true,
    cell: ({ filename, name, version, hardwareIds }) => (
      <>
        <Link href={`/images/${encodeURIComponent(filename)}`} className="hover:underline">
          {name} <span className="num font-normal text-ink-2">{version}</span>
        </Link>
        <span className="mt-0.5 flex flex-wrap gap-1 md:hidden">
          {hardwareIds.map((id) => (
            <Tag key={id}>{id}</Tag>
          ))}
        </span>
      </>
    ),
  },
  {
    id: "hardware",
    head: "Hardware",
    from: "md",
    cell: ({ hardwareIds }) => (
      <span className="flex gap-1" data-tip={hardwareIds.length > 2 ? hardwareIds.join("\n") : undefined}>
        {hardwareIds.slice(0, 2).map((id) => (
          <Tag key={id} className="max-w-36">
            {id}
          </Tag>
        ))}
        {hardwareIds.length > 2 ? <span className="text-sm text-ink-3">+{hardwareIds.length - 2}</span> : null}
      </span>
    ),
  },
  {
    id: "verification",
    head: "Verification",
    cell: ({ verification }) => <StatusBadge look={VERIFICATION_STATE[verification.state]} />,
  },
  { id: "digest", head: "Digest", from: "lg", cell: ({ sha256 }) => <Digest value={sha256} label="digest" /> },
  { id: "size", head: "Size", align: "right", from: "sm", cell: ({ length }) => bytes(length) },
  {
    id: "installed",
    head: "Installed on",
    align: "right",
    from: "sm",
    cell: ({ installedOn, filename }) =>
      installedOn === 0 ? (
        <span className="text-ink-3">0</span>
      ) : (
        <Link href={withQuery("/devices", { image: filename })} prefetch={false} className="link">
          {count(installedOn)}
        </Link>
      ),
  },
  {
    id: "created",
    head: "Added",
    sort: "createdAt",
    align: "right",
    from: "md",
    cell: ({ createdAt }) => <RelativeTime at={createdAt} bare className="text-ink-2" />,
  },
];

export function ImagesPage() {
  const [params, setParams] = useQueryStates(imageParams, { history: "push", scroll: false });
  const [open, setOpen] = useQueryState("open", parseAsString.withDefault(""));
  const [sending, setSending] = useState(false);
  const query = toImageQuery(params);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: keys.images.list(query),
    queryFn: ({ signal }) => api.listImages(query, signal),
    placeholderData: keepPreviousData,
  });
  const paging = usePaging(params.cursor, (cursor) => void setParams({ cursor }));
  const filtered = params.q !== "" || params.hardware !== "";
  const empty = data !== undefined && data.total === 0 && !isPlaceholderData;
  const sorting: Sorting = {
    current: params.sort,
    hrefOf: (sort) => withQuery("/images", { q: params.q, hardware: params.hardware, sort }),
    onSort: (sort) => void setParams({ sort, cursor: null }),
  };
  const lock = useImagesLock();
  const upload = (
    <GuardedButton permission="image.upload" blocked={lock} look="primary" onClick={() => void setOpen("upload")}>
      <Upload aria-hidden />
      Upload
    </GuardedButton>
  );
  return (
    <>
      <PageHead
        title="Images"
        meta={
          data === undefined ? (
            <span className="skeleton inline-block h-3 w-28" />
          ) : (
            `${plural(data.total, "image")}${filtered ? " match" : ""}`
          )
        }
        actions={
          <>
            <Button onClick={() => void setOpen("keys")}>Trusted keys…</Button>
            {upload}
          </>
        }
      />
      {error !== null ? (
        <ErrorPanel what="The list of images" error={error} retry={() => void refetch()} />
      ) : empty && !filtered ? (
        <EmptyState icon={Package} title="No image yet" actions={upload}>
          An image is what an update installs: any file, with a name, a version and the hardware it is for. It is signed
          when it arrives, and devices take nothing else.
        </EmptyState>
      ) : (
        <>
          <div className="mb-3.5 flex gap-2">
            <SearchField
              label="Search images"
              placeholder="Name, version or file name"
              value={params.q}
              onSearch={(q) => void setParams({ q, cursor: null }, { history: "replace" })}
            />
          </div>
          {empty ? (
            <EmptyState
              icon={SearchX}
              title="No image matches"
              actions={
                <Button onClick={() => void setParams({ q: null, hardware: null, cursor: null })}>
                  Clear the search
                </Button>
              }
            />
          ) : (
            <>
              <DataTable
                caption="Images"
                columns={COLUMNS}
                rows={data?.data}
                keyOf={({ filename }) => filename}
                sorting={sorting}
                refreshing={isPlaceholderData}
              />
              <Pager paging={paging} page={data} limit={IMAGE_PAGE_SIZE} />
            </>
          )}
        </>
      )}
      {open === "keys" ? <OpenpgpKeysDialog onClose={() => void setOpen(null)} /> : null}
      {(open === "upload" || sending) && lock === null ? (
        <UploadDialog
          onBegun={() => {
            setSending(true);
            void setOpen(null);
          }}
          onClose={() => {
            setSending(false);
            void setOpen(null);
          }}
        />
      ) : null}
    </>
  );
}
