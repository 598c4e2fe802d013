"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useEffect, useRef } from "react";
import { NoticeLine } from "#components/trust/notice-line.tsx";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { SkeletonLines } from "#components/ui/skeleton.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { BELL_NOTICES, keys } from "#lib/client/keys.ts";

/** The newest open notices, under the bell; over the whole width of a phone. */
export function NoticePanel({ id, onClose }: { id: string; onClose: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { data, error, refetch } = useQuery({
    queryKey: keys.notices.list(BELL_NOTICES),
    queryFn: ({ signal }) => api.listNotices(BELL_NOTICES, signal),
  });
  useEffect(() => heading.current?.focus(), []);
  // The row that had the focus may have gone.
  useEffect(() => {
    if (data !== undefined && document.activeElement === document.body) heading.current?.focus();
  }, [data]);
  const rest = data === undefined ? 0 : data.total - data.data.length;
  return (
    <section
      id={id}
      aria-labelledby={`${id}-title`}
      className="absolute top-full right-0 z-50 mt-1.5 flex max-h-[70vh] w-[420px] animate-[float-in_.1s_ease-out] flex-col rounded-lg border border-line-strong bg-raised shadow-float max-sm:fixed max-sm:inset-x-3 max-sm:top-[52px] max-sm:mt-0 max-sm:w-auto"
    >
      <h2 ref={heading} id={`${id}-title`} tabIndex={-1} className="px-3.5 pt-2.5 pb-2 font-strong outline-none">
        Notices
      </h2>
      <div className="min-h-0 overflow-y-auto border-y border-line">
        {error === null ? null : <ErrorPanel what="The notices" error={error} retry={() => void refetch()} />}
        {data === undefined ? (
          error === null ? (
            <div className="px-3.5">
              <SkeletonLines label="The notices are being read" lines={4} />
            </div>
          ) : null
        ) : data.data.length === 0 ? (
          <p className="px-3.5 py-4 text-ink-2">
            No notice waits for anybody. Thresholds are looked at every ten minutes.
          </p>
        ) : (
          <ul>
            {data.data.map((notice) => (
              <NoticeLine key={notice.id} notice={notice} onFollow={onClose} />
            ))}
          </ul>
        )}
      </div>
      <div className="px-3.5 py-2">
        <Link href="/trust/notices" prefetch={false} className="link" onClick={onClose}>
          {rest > 0 ? `All notices, ${count(rest)} more open` : "All notices"}
        </Link>
      </div>
    </section>
  );
}
