"use client";

import { useQuery } from "@tanstack/react-query";
import { Bell } from "lucide-react";
import dynamic from "next/dynamic";
import { type FocusEvent, type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { IconButton } from "#components/ui/button.tsx";
import { api } from "#lib/client/api.ts";
import { count } from "#lib/client/format.ts";
import { BELL_NOTICES, keys } from "#lib/client/keys.ts";
import { useCan } from "./me.tsx";

const NoticePanel = dynamic(() => import("./notice-panel.tsx").then((module) => module.NoticePanel));

/**
 * How many notices are open and nobody's yet; opens the newest of them. Asked once a visit, and again when an event says that notices changed.
 * A disclosure, not a menu: what stands in it are links and buttons, reached with Tab; Escape closes it, and so does leaving it.
 */
export function NoticeBell() {
  return useCan("certificate.read") ? <Ringing /> : null;
}

function Ringing() {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const { data } = useQuery({
    queryKey: keys.notices.list(BELL_NOTICES),
    queryFn: ({ signal }) => api.listNotices(BELL_NOTICES, signal),
  });
  useEffect(() => {
    if (!open) return;
    const onPointer = ({ target }: PointerEvent) => {
      if (target instanceof Node && root.current?.contains(target) !== true) setOpen(false);
    };
    document.addEventListener("pointerdown", onPointer);
    return () => document.removeEventListener("pointerdown", onPointer);
  }, [open]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    setOpen(false);
    button.current?.focus();
  };
  // Only where focus went elsewhere on the page: a row that leaves the list takes it nowhere.
  const onBlur = ({ relatedTarget }: FocusEvent) => {
    if (relatedTarget instanceof Node && root.current?.contains(relatedTarget) !== true) setOpen(false);
  };
  const total = data?.total ?? 0;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: catches Escape of what stands in it
    <div ref={root} className="relative flex" onKeyDown={onKeyDown} onBlur={onBlur}>
      <IconButton
        ref={button}
        label={total === 0 ? "Notices" : `Notices: ${count(total)} open`}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        icon={<Bell aria-hidden />}
        onClick={() => setOpen(!open)}
      />
      {total === 0 ? null : (
        <span
          aria-hidden
          className="num pointer-events-none absolute -top-0.5 -right-1 rounded-full bg-warn-soft px-1 text-xs leading-[15px] font-semibold text-warn ring-2 ring-bg"
        >
          {total > 99 ? "99+" : total}
        </span>
      )}
      {open ? <NoticePanel id={id} onClose={() => setOpen(false)} /> : null}
    </div>
  );
}
