"use client";

import { X } from "lucide-react";
import { useRouter } from "next/navigation";
import { GuardedButton } from "#components/shell/me.tsx";
import { IconButton } from "#components/ui/button.tsx";
import type { Selection } from "#components/ui/use-selection.ts";
import { plural } from "#lib/client/format.ts";
import { newUpdateHref } from "./new-update.ts";

const MOST = 100;

/** What can be done with the ticked rows. */
export function BulkBar({ selection }: { selection: Selection }) {
  const router = useRouter();
  const { ids, clear } = selection;
  if (ids.size === 0) return null;
  const tooMany = ids.size > MOST;
  return (
    <div className="sticky bottom-4 z-10 mx-auto mt-4 flex w-max max-w-full items-center gap-2 rounded-xl border border-line-strong bg-raised py-[7px] pr-2 pl-3.5 shadow-float">
      <span role="status" className="num font-strong">
        {plural(ids.size, "device")} selected
      </span>
      <span className="w-2" />
      <GuardedButton
        permission="update.launch"
        size="sm"
        disabled={tooMany}
        onClick={() => router.push(newUpdateHref([...ids]))}
      >
        Update…
      </GuardedButton>
      {tooMany ? <span className="text-sm text-ink-3 max-sm:hidden">at most {MOST} at once from here</span> : null}
      <IconButton label="Clear the selection" size="sm" icon={<X aria-hidden />} onClick={clear} />
    </div>
  );
}
