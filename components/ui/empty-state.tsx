import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

/** What would be here, and the next step towards it. */
export function EmptyState({
  icon: Icon,
  title,
  children,
  actions,
}: {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      <Icon aria-hidden strokeWidth={1.5} className="mb-3 size-6 text-ink-3" />
      <p className="font-semibold">{title}</p>
      {children === undefined ? null : <div className="mt-1 max-w-md text-ink-2">{children}</div>}
      {actions === undefined ? null : <div className="mt-4 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}
