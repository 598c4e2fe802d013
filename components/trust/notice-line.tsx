"use client";

import { Check, ChevronRight, TriangleAlert } from "lucide-react";
import Link from "next/link";
import { useCan } from "#components/shell/me.tsx";
import { IconButton } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import { RelativeTime } from "#components/ui/time.tsx";
import { toast } from "#components/ui/toast.tsx";
import { useAcknowledgeNotice } from "#lib/client/mutations.ts";
import { ApiProblem } from "#lib/client/problem.ts";
import type { Notice } from "#lib/contracts/console/notices.ts";

/** One notice: what it says leads to where it is mended; beside it, for who may, that one sees to it. */
export function NoticeLine({ notice, onFollow }: { notice: Notice; onFollow?: () => void }) {
  const { tone, text, href, at, settledAt, acknowledgedBy } = notice;
  const mayDecide = useCan("certificate.decide");
  const open = settledAt === null && acknowledgedBy === null;
  const Icon = settledAt === null ? TriangleAlert : Check;
  const colour = settledAt !== null ? "text-ok" : tone === "bad" ? "text-bad" : "text-warn";
  const word = settledAt !== null ? "Settled: " : tone === "bad" ? "Urgent: " : "";
  return (
    <li className="flex items-start border-b border-line last:border-0">
      <Link
        href={href}
        prefetch={false}
        {...(onFollow && { onClick: onFollow })}
        className="grid min-w-0 flex-1 grid-cols-[20px_minmax(0,1fr)_auto_16px] gap-2.5 px-3.5 py-2.5 outline-offset-[-2px] hover:bg-hover"
      >
        <Icon aria-hidden className={cx("mt-0.5 size-4", colour)} />
        <span className="min-w-0 wrap-anywhere">
          <span className="sr-only">{word}</span>
          {text}
          {acknowledgedBy === null ? null : (
            <span className="block text-sm text-ink-3">{acknowledgedBy} sees to it</span>
          )}
        </span>
        <span className="num text-sm leading-5 text-ink-3">
          <RelativeTime at={settledAt ?? at} bare />
        </span>
        <ChevronRight aria-hidden className="mt-0.5 size-4 text-ink-3" />
      </Link>
      {open && mayDecide ? <Acknowledge notice={notice} /> : null}
    </li>
  );
}

function Acknowledge({ notice: { id, text } }: { notice: Notice }) {
  const acknowledge = useAcknowledgeNotice();
  const run = () => {
    acknowledge.mutate(id, {
      onError: (error) =>
        toast.failed("Not acknowledged", error instanceof ApiProblem ? error.message : "The console does not answer."),
    });
  };
  return (
    <IconButton
      label={`Acknowledge: ${text}`}
      data-tip="Acknowledge: I see to it"
      size="sm"
      className="mt-1.5 mr-2"
      disabled={acknowledge.isPending}
      icon={<Check aria-hidden />}
      onClick={run}
    />
  );
}
