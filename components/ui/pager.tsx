"use client";

import { useState } from "react";
import { count } from "#lib/client/format.ts";
import { Button } from "./button.tsx";

export type Paging = {
  cursor: string;
  go: (cursor: string) => void;
  trail: readonly string[];
  setTrail: (trail: readonly string[]) => void;
};

/** Keyset pages know their next one only; the way back is what this tab remembers of its own walk. */
export function usePaging(cursor: string, go: (cursor: string) => void): Paging {
  const [trail, setTrail] = useState<readonly string[]>([]);
  return { cursor, go, trail: cursor === "" ? [] : trail, setTrail };
}

type PagerProps = {
  paging: Paging;
  page: { data: readonly unknown[]; nextCursor: string | null; total: number; totalIsExact: boolean } | undefined;
  limit: number;
};

/** `1–50 of 214`. A page opened by a link does not know how many rows come before it, so it says only how many it shows. */
export function Pager({ paging, page, limit }: PagerProps) {
  if (page === undefined) return <div className="h-[46px]" />;
  const { cursor, go, trail, setTrail } = paging;
  const known = cursor === "" || trail.length > 0;
  const first = trail.length * limit + 1;
  const shown = page.data.length;
  const total = `${page.totalIsExact ? "" : "about "}${count(page.total)}`;
  const text =
    shown === 0
      ? "No rows"
      : known
        ? `${count(first)}–${count(first + shown - 1)} of ${total}`
        : `${count(shown)} of ${total}`;
  const next = page.nextCursor;
  if (cursor === "" && next === null) return <p className="num pt-2.5 text-sm text-ink-3">{text}</p>;
  return (
    <nav aria-label="Pages" className="flex items-center gap-2 pt-2.5">
      <span className="num flex-1 text-sm text-ink-3">{text}</span>
      <Button
        size="sm"
        disabled={cursor === ""}
        onClick={() => {
          go(trail.at(-1) ?? "");
          setTrail(trail.slice(0, -1));
        }}
      >
        {known ? "Previous" : "First page"}
      </Button>
      <Button
        size="sm"
        disabled={next === null}
        onClick={() => {
          if (next === null) return;
          setTrail([...trail, cursor]);
          go(next);
        }}
      >
        Next
      </Button>
    </nav>
  );
}
