import { ChevronRight } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";

type PageHeadProps = {
  title: ReactNode;
  /** One quiet line under the title. */
  meta?: ReactNode;
  /** Tags and pills beside the title. */
  beside?: ReactNode;
  actions?: ReactNode;
  trail?: { href: string; label: string };
};

/** Head of a page: where it is, what it is, what can be done. */
export function PageHead({ title, meta, beside, actions, trail }: PageHeadProps) {
  return (
    <header className="mb-4">
      {trail === undefined ? null : (
        <nav aria-label="Breadcrumb" className="mb-1.5 flex items-center gap-1 text-sm text-ink-3">
          <Link href={trail.href} className="rounded-sm hover:text-ink">
            {trail.label}
          </Link>
          <ChevronRight aria-hidden className="size-3.5" />
        </nav>
      )}
      <div className="flex items-start gap-x-4 gap-y-2.5 max-sm:flex-wrap">
        <div className="min-w-0 flex-1 max-sm:basis-full">
          <div className="flex min-h-[30px] flex-wrap items-center gap-2">
            <h1 className="min-w-0 wrap-anywhere">{title}</h1>
            {beside}
          </div>
          {meta === undefined ? null : <div className="num mt-0.5 text-sm text-ink-3 wrap-anywhere">{meta}</div>}
        </div>
        {actions === undefined ? null : <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
    </header>
  );
}

/** Main column with a narrow one beside it, under it where there is no room. */
export function Columns({ children, aside }: { children: ReactNode; aside: ReactNode }) {
  return (
    <div className="grid grid-cols-1 items-start gap-5 lg:grid-cols-[minmax(0,1fr)_320px]">
      <div className="grid min-w-0 gap-5">{children}</div>
      <div className="grid min-w-0 gap-4">{aside}</div>
    </div>
  );
}
