"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { cx } from "#components/ui/cx.ts";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { keys, PENDING_COUNT, RUNNING_COUNT } from "#lib/client/keys.ts";
import { type Destination, FLEET, HOUSE } from "./destinations.ts";

/** Links of the rail and of the phone's drawer, with counts of what waits or runs. */
export function NavLinks({ collapsible = false, onFollow }: { collapsible?: boolean; onFollow?: () => void }) {
  const pathname = usePathname();
  const counts = useCounts();
  const link = (place: Destination) => {
    const current = pathname === place.href || pathname.startsWith(`${place.href}/`);
    const waiting = place.counts === undefined ? 0 : (counts[place.counts] ?? 0);
    return (
      <NavLink
        key={place.href}
        place={place}
        current={current}
        waiting={waiting}
        collapsible={collapsible}
        onFollow={onFollow}
      />
    );
  };
  return (
    <>
      {FLEET.map(link)}
      <div className="mx-2 my-2 h-px bg-line" />
      {HOUSE.map(link)}
    </>
  );
}

type NavLinkProps = {
  place: Destination;
  current: boolean;
  waiting: number;
  collapsible: boolean;
  onFollow: (() => void) | undefined;
};

function NavLink({ place, current, waiting, collapsible, onFollow }: NavLinkProps) {
  const Icon = place.icon;
  const attention = place.counts === "pending";
  return (
    <Link
      href={place.href}
      aria-current={current ? "page" : undefined}
      {...(onFollow && { onClick: onFollow })}
      className={cx(
        "relative flex h-[30px] items-center gap-2.5 rounded-md px-2 font-medium max-sm:h-10",
        current ? "bg-surface text-ink shadow-[0_0_0_1px_var(--line)]" : "text-ink-2 hover:bg-hover hover:text-ink",
        collapsible && "in-data-[rail=narrow]:justify-center in-data-[rail=narrow]:px-0",
      )}
    >
      <Icon aria-hidden strokeWidth={1.7} className={cx("size-4 shrink-0", current ? "text-ink" : "text-ink-3")} />
      <span className={cx(collapsible && "in-data-[rail=narrow]:sr-only")}>{place.label}</span>
      {waiting === 0 ? null : (
        <span
          className={cx(
            "num ml-auto rounded-full px-1.5 text-xs font-semibold",
            attention ? "bg-warn-soft text-warn" : "bg-busy-soft text-busy",
            collapsible &&
              "in-data-[rail=narrow]:absolute in-data-[rail=narrow]:-top-0.5 in-data-[rail=narrow]:right-0 in-data-[rail=narrow]:px-1 in-data-[rail=narrow]:leading-[14px]",
          )}
        >
          {count(waiting)}
          <span className="sr-only">{attention ? " waiting for a decision" : " running"}</span>
        </span>
      )}
    </Link>
  );
}

function useCounts(): { pending: number | undefined; runningUpdates: number | undefined } {
  const pending = useQuery({
    queryKey: keys.certificates.list(PENDING_COUNT),
    queryFn: ({ signal }) => api.listCertificates(PENDING_COUNT, signal),
    select: ({ total }) => total,
  });
  const runningUpdates = useQuery({
    queryKey: keys.updates.list(RUNNING_COUNT),
    queryFn: ({ signal }) => api.listUpdates(RUNNING_COUNT, signal),
    select: ({ total }) => total,
  });
  return { pending: pending.data, runningUpdates: runningUpdates.data };
}
