"use client";

import { useQuery } from "@tanstack/react-query";
import { Check, ChevronRight, TriangleAlert } from "lucide-react";
import Link from "next/link";
import { Card } from "#components/ui/card.tsx";
import { cx } from "#components/ui/cx.ts";
import { ErrorPanel } from "#components/ui/error-panel.tsx";
import { api } from "#lib/client/api.ts";
import { count, plural } from "#lib/client/format.ts";
import { keys } from "#lib/client/keys.ts";
import type { PostureCheck } from "#lib/contracts/console/posture.ts";

/** Every check over all certificates: what was found first, then what is in order. */
export function PosturePage() {
  const { data, error, refetch } = useQuery({
    queryKey: keys.certificates.posture,
    queryFn: ({ signal }) => api.getPosture(signal),
  });
  if (data === undefined) {
    return error === null ? null : <ErrorPanel what="The checks" error={error} retry={() => void refetch()} />;
  }
  const found = data.checks.filter((check) => check.count > 0);
  const passed = data.checks.filter((check) => check.count === 0);
  return (
    <div className="grid gap-4">
      <Card
        flush
        title={
          found.length === 0 ? "Nothing found" : plural(found.length, "check found something", "checks found something")
        }
      >
        {found.length === 0 ? (
          <p className="px-3.5 py-4 text-ink-2">Every check over all certificates is in order.</p>
        ) : (
          <ul>
            {found.map((check) => (
              <Found key={check.code} check={check} />
            ))}
          </ul>
        )}
      </Card>
      {passed.length === 0 ? null : (
        <Card title="Looked for and not found">
          <ul className="grid gap-1.5">
            {passed.map(({ code, title }) => (
              <li key={code} className="flex items-start gap-2">
                <Check aria-hidden className="mt-0.5 size-4 shrink-0 text-ok" />
                <span>
                  <span className="sr-only">None: </span>
                  {title}
                </span>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </div>
  );
}

function Found({ check }: { check: PostureCheck }) {
  return (
    <li className="border-b border-line last:border-0">
      <Link
        href={`/trust/posture/${check.code}`}
        prefetch={false}
        className="grid grid-cols-[20px_minmax(0,1fr)_auto_16px] gap-2.5 px-3.5 py-3 outline-offset-[-2px] hover:bg-hover"
      >
        <TriangleAlert aria-hidden className={cx("mt-0.5 size-4", check.tone === "bad" ? "text-bad" : "text-warn")} />
        <span className="min-w-0">
          <span className="font-strong">{check.title}</span>
          <span className="mt-0.5 block text-ink-2">{check.why}</span>
        </span>
        <span className="num text-right">
          {count(check.count)}
          <span className="block text-sm text-ink-3">{plural(check.devices, "device")}</span>
        </span>
        <ChevronRight aria-hidden className="mt-0.5 size-4 text-ink-3" />
      </Link>
    </li>
  );
}
