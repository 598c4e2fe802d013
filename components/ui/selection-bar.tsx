import type { ReactNode } from "react";
import { count as counted } from "#lib/client/format.ts";

/** What can be done with the ticked rows, floating above the end of their list. */
export function SelectionBar({ count, children }: { count: number; children: ReactNode }) {
  return (
    <div className="sticky bottom-4 z-10 mx-auto mt-4 flex w-max max-w-full items-center gap-2 rounded-xl border border-line-strong bg-raised py-[7px] pr-2 pl-3.5 shadow-float max-sm:flex-wrap">
      <span role="status" className="num font-strong">
        {counted(count)} selected
      </span>
      <span className="w-2" />
      {children}
    </div>
  );
}
