"use client";

import { ArrowDown, ArrowUp } from "lucide-react";
import type { MouseEvent, ReactNode } from "react";
import { cx } from "./cx.ts";
import type { Selection } from "./use-selection.ts";

export type Column<Row> = {
  id: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Name of the ascending sort; descending is the same with a minus. */
  sort?: string;
  align?: "right";
  /** Hidden on screens narrower than this. */
  from?: "sm" | "md" | "lg" | "xl" | "wide";
  /** Takes the room that is left and cuts its text short. */
  grow?: boolean;
  /** The cell that names the row. */
  rowHeader?: boolean;
  wrap?: boolean;
};

export type Sorting = { current: string; hrefOf: (sort: string) => string; onSort: (sort: string) => void };

type DataTableProps<Row> = {
  caption: string;
  columns: readonly Column<Row>[];
  /** Absent while the first answer is awaited: then the rows are skeletons. */
  rows: readonly Row[] | undefined;
  keyOf: (row: Row) => string;
  nameOf?: (row: Row) => string;
  sorting?: Sorting;
  selection?: Selection;
  /** What is shown is being replaced. */
  refreshing?: boolean;
  /** Under a sticky top bar, unless the table stands in a card. */
  inCard?: boolean;
  skeletonRows?: number;
};

const FROM = {
  sm: "max-sm:hidden",
  md: "max-md:hidden",
  lg: "max-lg:hidden",
  xl: "max-xl:hidden",
  wide: "max-[1399px]:hidden",
};

/** A table of the server's rows: it never sorts or filters by itself, so that what it shows is true of the whole set. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const {
    caption,
    columns,
    rows,
    keyOf,
    nameOf,
    sorting,
    selection,
    refreshing = false,
    inCard = false,
    skeletonRows = 10,
  } = props;
  return (
    <div className="relative">
      {refreshing ? <RefreshingLine /> : null}
      <table aria-busy={rows === undefined || refreshing} className="w-full border-collapse text-left">
        <caption className="sr-only">{caption}</caption>
        <thead>
          <tr>
            {selection === undefined ? null : (
              <th className={cx(headClass(inCard), "w-8 pl-2")}>
                <input
                  type="checkbox"
                  aria-label="Select all rows of this page"
                  disabled={rows === undefined || rows.length === 0}
                  checked={rows !== undefined && rows.length > 0 && rows.every((row) => selection.has(keyOf(row)))}
                  onChange={(event) => selection.setMany((rows ?? []).map(keyOf), event.target.checked)}
                />
              </th>
            )}
            {columns.map((column) => (
              <HeadCell key={column.id} column={column} sorting={sorting} inCard={inCard} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows === undefined
            ? Array.from({ length: skeletonRows }, (_, index) => index).map((index) => (
                <SkeletonRow key={index} columns={columns} selectable={selection !== undefined} inCard={inCard} />
              ))
            : rows.map((row) => (
                <tr
                  key={keyOf(row)}
                  aria-selected={selection?.has(keyOf(row))}
                  className="border-b border-line hover:bg-hover aria-selected:bg-selected in-data-card:last:border-0"
                >
                  {selection === undefined ? null : (
                    <td className="pl-2">
                      <input
                        type="checkbox"
                        aria-label={`Select ${nameOf?.(row) ?? keyOf(row)}`}
                        checked={selection.has(keyOf(row))}
                        onChange={(event) => selection.setMany([keyOf(row)], event.target.checked)}
                      />
                    </td>
                  )}
                  {columns.map((column) => {
                    const Cell = column.rowHeader === true ? "th" : "td";
                    return (
                      <Cell
                        key={column.id}
                        scope={column.rowHeader === true ? "row" : undefined}
                        className={cellClass(column, inCard)}
                      >
                        {column.cell(row)}
                      </Cell>
                    );
                  })}
                </tr>
              ))}
        </tbody>
      </table>
    </div>
  );
}

/** Appears only when the answer takes longer than a glance; the old rows stay readable meanwhile. */
function RefreshingLine() {
  return (
    <span aria-hidden className="absolute top-[31px] left-0 z-[6] h-0.5 w-full overflow-hidden">
      <span className="block h-full w-1/3 animate-[slide_1s_linear_.2s_infinite_backwards] bg-accent" />
    </span>
  );
}

function HeadCell<Row>({
  column,
  sorting,
  inCard,
}: {
  column: Column<Row>;
  sorting: Sorting | undefined;
  inCard: boolean;
}) {
  const { sort } = column;
  const classes = cx(
    headClass(inCard),
    edges(inCard),
    column.from && FROM[column.from],
    column.align === "right" && "text-right",
  );
  if (sort === undefined || sorting === undefined) return <th className={classes}>{column.head}</th>;
  const direction = sorting.current === sort ? "ascending" : sorting.current === `-${sort}` ? "descending" : undefined;
  const next = direction === "ascending" ? `-${sort}` : sort;
  const follow = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    sorting.onSort(next);
  };
  return (
    <th aria-sort={direction} className={classes}>
      <a
        href={sorting.hrefOf(next)}
        onClick={follow}
        className="inline-flex items-center gap-1 rounded-sm hover:text-ink"
      >
        {column.head}
        {direction === "ascending" ? <ArrowUp aria-hidden className="size-3" /> : null}
        {direction === "descending" ? <ArrowDown aria-hidden className="size-3" /> : null}
      </a>
    </th>
  );
}

function SkeletonRow<Row>({
  columns,
  selectable,
  inCard,
}: {
  columns: readonly Column<Row>[];
  selectable: boolean;
  inCard: boolean;
}) {
  return (
    <tr aria-hidden className="border-b border-line">
      {selectable ? <td className="w-8" /> : null}
      {columns.map((column) => (
        <td key={column.id} className={cellClass(column, inCard)}>
          <span
            className={cx(
              "skeleton inline-block h-3 align-middle",
              column.align === "right" ? "w-10" : "w-full max-w-24",
            )}
          />
        </td>
      ))}
    </tr>
  );
}

function headClass(inCard: boolean): string {
  return cx(
    "h-8 pr-2.5 text-sm font-medium whitespace-nowrap text-ink-3 shadow-[inset_0_-1px_0_var(--line)]",
    inCard ? "bg-surface" : "sticky top-12 z-[5] bg-bg",
  );
}

function edges(inCard: boolean): string {
  return inCard ? "first:pl-3.5 last:pr-3.5" : "first:pl-2 last:pr-2";
}

function cellClass<Row>(column: Column<Row>, inCard: boolean): string {
  return cx(
    "h-(--row) pr-2.5 font-normal",
    edges(inCard),
    column.from && FROM[column.from],
    column.align === "right" && "num text-right",
    column.rowHeader && "font-strong",
    column.wrap ? "py-2 wrap-anywhere" : "whitespace-nowrap",
    column.grow && (column.wrap ? "w-full" : "w-full max-w-0 truncate"),
  );
}
