import type { ReactNode } from "react";
import { cx } from "./cx.ts";

/** One line around one thing; `flush` for tables and lists that reach its edges. */
export function Card({
  title,
  aside,
  children,
  flush = false,
}: {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  flush?: boolean;
}) {
  return (
    <section className="overflow-hidden rounded-lg border border-line bg-surface">
      {title === undefined ? null : (
        <header className="flex min-h-[41px] items-center gap-2 border-b border-line px-3.5 py-2">
          <h2 className="min-w-0 flex-1">{title}</h2>
          {aside}
        </header>
      )}
      <div className={cx(!flush && "p-3.5")}>{children}</div>
    </section>
  );
}

/** Names and values: `<Facts rows={[["Issuer", "…"]]} />`; a row whose value is null is left out. */
export function Facts({ rows }: { rows: readonly (readonly [ReactNode, ReactNode])[] }) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  return (
    <dl className="grid grid-cols-[104px_minmax(0,1fr)] gap-x-3 gap-y-1.5">
      {shown.map(([name, value], index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows of one list keep their order
        <div key={index} className="col-span-2 grid grid-cols-subgrid">
          <dt className="text-ink-3">{name}</dt>
          <dd className="min-w-0 wrap-anywhere">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
