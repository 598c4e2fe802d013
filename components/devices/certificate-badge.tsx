"use client";

import { Hourglass } from "lucide-react";
import { useNow } from "#components/ui/clock.tsx";
import { CERTIFICATE_STATE, StatusBadge, type StatusLook } from "#components/ui/status.tsx";
import { shortDuration } from "#lib/client/time.ts";
import type { CertificateState } from "#lib/contracts/console/certificates.ts";

const SOON_MS = 30 * 24 * 3_600_000;
const EXPIRES: StatusLook = {
  tone: "warn",
  icon: Hourglass,
  word: "Expires",
  hint: "Still allowed, but it expires within 30 days.",
};

/** State of a certificate with the time that is left. */
export function CertificateBadge({
  certificate,
}: {
  certificate: { state: CertificateState; notAfter: string | null } | null;
}) {
  const now = useNow();
  if (certificate === null) return <span className="text-ink-3">None</span>;
  const { state, notAfter } = certificate;
  const left = notAfter === null ? null : new Date(notAfter).getTime() - now;
  if (state === "allowed" && left !== null && left < SOON_MS) {
    return <StatusBadge look={EXPIRES} note={`in ${shortDuration(left)}`} />;
  }
  const note =
    left === null
      ? null
      : state === "expired"
        ? `${shortDuration(left)} ago`
        : state === "allowed"
          ? shortDuration(left)
          : null;
  return <StatusBadge look={CERTIFICATE_STATE[state]} note={note} />;
}
