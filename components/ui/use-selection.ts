"use client";

import { useMemo, useState } from "react";

export type Selection = {
  ids: ReadonlySet<string>;
  has: (id: string) => boolean;
  setMany: (ids: readonly string[], selected: boolean) => void;
  clear: () => void;
};

/** Rows somebody ticked. Lives as long as the page: a selection is no state worth a link. */
export function useSelection(): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  return useMemo(
    () => ({
      ids,
      has: (id) => ids.has(id),
      setMany: (changed, selected) =>
        setIds((before) => {
          const next = new Set(before);
          for (const id of changed) {
            if (selected) next.add(id);
            else next.delete(id);
          }
          return next;
        }),
      clear: () => setIds(new Set()),
    }),
    [ids],
  );
}
