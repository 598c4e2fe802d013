"use client";

import { useNow } from "#components/ui/clock.tsx";
import { cx } from "#components/ui/cx.ts";
import { AbsoluteTime } from "#components/ui/time.tsx";
import { shortDuration } from "#lib/client/time.ts";
import type { Certificate } from "#lib/contracts/console/certificates.ts";

const SOON_MS = 30 * 24 * 3_600_000;

/** Decided for good: how long it would have been valid is nobody's concern any more. */
const ENDED: ReadonlySet<string> = new Set(["revoked", "rejected", "superseded"]);

/** How much of its validity has passed. */
export function ValidityBar({ certificate }: { certificate: Pick<Certificate, "state" | "notBefore" | "notAfter"> }) {
  const now = useNow();
  if (certificate.notBefore === null || certificate.notAfter === null || ENDED.has(certificate.state)) return null;
  const from = new Date(certificate.notBefore).getTime();
  const until = new Date(certificate.notAfter).getTime();
  const left = until - now;
  const passed = Math.min(100, Math.max(0, ((now - from) / (until - from)) * 100));
  const tone = left <= 0 ? "bg-bad" : left < SOON_MS ? "bg-warn" : "bg-ink-3";
  return (
    <div>
      <div aria-hidden className="h-1.5 overflow-hidden rounded-full bg-line">
        <div className={cx("h-full", tone)} style={{ width: `${passed.toFixed(1)}%` }} />
      </div>
      <div className="num mt-1 flex text-sm text-ink-3">
        <span className="flex-1">
          <AbsoluteTime at={certificate.notBefore} dateOnly /> – <AbsoluteTime at={certificate.notAfter} dateOnly />
        </span>
        <span>{left <= 0 ? `expired ${shortDuration(left)} ago` : `${shortDuration(left)} left`}</span>
      </div>
    </div>
  );
}
