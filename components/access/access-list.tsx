"use client";

import type { ReactNode } from "react";
import { type Column, DataTable } from "#components/ui/data-table.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { Pager, type Paging } from "#components/ui/pager.tsx";
import { ACCESS_PAGE_SIZE } from "#lib/client/access-params.ts";
import type { Page } from "#lib/contracts/console/common.ts";

type AccessListProps<Row> = {
  caption: string;
  /** As `useQuery` has it. */
  list: { data: Page<Row> | undefined; error: unknown; isPlaceholderData: boolean; refetch: () => Promise<unknown> };
  columns: readonly Column<Row>[];
  paging: Paging;
  /** In its place when there is nothing to list. */
  empty: ReactNode;
};

/** A page of what scripts come in with, or why there is none. */
export function AccessList<Row extends { id: string }>({
  caption,
  list,
  columns,
  paging,
  empty,
}: AccessListProps<Row>) {
  const { data, error, isPlaceholderData, refetch } = list;
  if (error !== null)
    return <ErrorPanel what={`The list of ${caption.toLowerCase()}`} error={error} retry={() => void refetch()} />;
  if (data?.total === 0 && !isPlaceholderData) return empty;
  return (
    <>
      <DataTable
        caption={caption}
        columns={columns}
        rows={data?.data}
        keyOf={({ id }) => id}
        refreshing={isPlaceholderData}
        skeletonRows={4}
      />
      <Pager paging={paging} page={data} limit={ACCESS_PAGE_SIZE} />
    </>
  );
}
