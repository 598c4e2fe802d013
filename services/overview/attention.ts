import type { BackendHealth } from "#lib/backends/backends.ts";
import type { HeaderMode } from "#lib/contracts/console/header-mode.ts";
import type { Notice } from "#lib/contracts/console/notices.ts";
import type { Attention } from "#lib/contracts/console/overview.ts";
import type { RefusalRate } from "#lib/contracts/console/refusals.ts";
import type { MeasuredRevocation } from "#lib/contracts/console/revocation.ts";
import { wordsOf } from "#lib/domain/refusals.ts";
import type { FleetCounts } from "#services/fleet/service.ts";
import type { RoleWarning } from "#services/signing-keys/service.ts";

type Facts = {
  notices: readonly Notice[];
  fleet: FleetCounts;
  trust: { pending: number; oldestPendingAt: Date | null; refusedLastDay: number };
  condemned: readonly string[];
  backends: readonly BackendHealth[];
  roles: readonly RoleWarning[];
  headerMode: HeaderMode;
  measured: MeasuredRevocation | null;
  refusals: readonly RefusalRate[];
};

/** What needs a person, most urgent first. A line with nothing behind it is not there. */
export function toAttention({
  fleet,
  trust,
  condemned,
  backends,
  roles,
  headerMode,
  measured,
  refusals,
  notices,
}: Facts): Attention[] {
  const lines: Attention[] = [
    ...backends
      .filter(({ ok }) => !ok)
      .map(({ name, error }) =>
        line("backend_down", "bad", { count: 1, title: `The ${name} is down`, detail: error, href: "/settings" }),
      ),
    ...condemned.map((filename) =>
      line("unverified", "bad", {
        count: 1,
        title: `${filename} is not what was signed`,
        detail: "It did not pass verification. No device is told to install it.",
        href: `/images/${encodeURIComponent(filename)}`,
      }),
    ),
    toHeaderModeLine(headerMode),
    toRevocationLine(measured),
    ...refusals.filter(({ isUnusual }) => isUnusual).map(toRateLine),
    ...roles.map(toMetadataLine),
    ...toNoticeLines(notices, "bad"),
    line("failing", "bad", {
      count: fleet.failing.count,
      title: plural(fleet.failing.count, "device failed", "devices failed"),
      detail: "Their last installation did not succeed.",
      href: "/devices?status=failed",
      since: fleet.failing.since,
    }),
    line("pending", "warn", {
      count: trust.pending,
      title: plural(trust.pending, "certificate waits for a decision", "certificates wait for a decision"),
      detail: "A device is at the door with a certificate nobody has decided about.",
      href: "/trust",
      since: trust.oldestPendingAt,
    }),
    line("expiring", "warn", {
      count: fleet.expired,
      title: plural(fleet.expired, "device has an expired certificate", "devices have an expired certificate"),
      detail: "The door no longer lets them in. Issue new credentials.",
      href: "/devices?certificate=expired",
    }),
    ...toNoticeLines(notices, "warn"),
    line("refused", "warn", {
      count: trust.refusedLastDay,
      title: plural(
        trust.refusedLastDay,
        "attempt was refused at the door",
        "kinds of attempts were refused at the door",
      ),
      detail: "In the last 24 hours.",
      href: "/trust/refused",
    }),
  ];
  return lines.filter(({ count }) => count > 0);
}

/** Where no proxy is set, nothing is missing. */
function toHeaderModeLine({ publicUrl, state, detail, since }: HeaderMode): Attention {
  const title =
    state === "failed" ? "A forged header got through the proxy" : "Devices behind the proxy are not let in";
  return line("header_mode", state === "failed" ? "bad" : "warn", {
    count: publicUrl === null || state === "on" ? 0 : 1,
    title,
    detail: detail ?? "The proxy has not been tested yet.",
    href: "/settings",
    since: since === null ? null : new Date(since),
  });
}

function toRevocationLine(measured: MeasuredRevocation | null): Attention {
  const since = measured?.lateSince ?? null;
  return line("revocation", "bad", {
    count: since === null ? 0 : 1,
    title: "Revocations take longer than a second to be in force",
    detail: measured?.lastProblem ?? `The last one that was tried took ${measured?.lastDelayMs ?? 0} ms.`,
    href: "/settings",
    since: since === null ? null : new Date(since),
  });
}

/** These have lines of their own, which are true to the minute. */
const TOLD_ELSEWHERE: ReadonlySet<Notice["kind"]> = new Set(["waiting_long", "refusals_unusual", "revocation_late"]);

function toNoticeLines(notices: readonly Notice[], tone: Notice["tone"]): Attention[] {
  return notices
    .filter((notice) => notice.tone === tone && !TOLD_ELSEWHERE.has(notice.kind))
    .map(({ text, href, at }) =>
      line("notice", tone, { count: 1, title: text, detail: null, href, since: new Date(at) }),
    );
}

function toRateLine({ code, lastHour, usualHour, topAddress }: RefusalRate): Attention {
  const from = topAddress === null ? "" : ` Most came from ${topAddress}.`;
  return line("unusual_refusals", "warn", {
    count: lastHour,
    title: `${lastHour} attempts were refused in the last hour: ${code}`,
    detail: `Usual are ${usualHour}. ${wordsOf(code)?.meaning ?? ""}${from}`,
    href: `/trust/refused?code=${code}`,
  });
}

function toMetadataLine({ repository, role: { role, warning, renewal } }: RoleWarning): Attention {
  const where = repository === "image" ? "the image repository" : "the director";
  const days = warning?.withinDays ?? 0;
  const when = days === 0 ? "has expired" : days === 1 ? "expires within a day" : `expires within ${days} days`;
  const detail =
    renewal === "person"
      ? "Its key is offline, so somebody must sign the next one. Once it has expired, no device that polls can update."
      : "It was not renewed by itself. Once it has expired, no device that polls can update.";
  return line("metadata", warning?.tone ?? "bad", {
    count: 1,
    title: `The ${role} metadata of ${where} ${when}`,
    detail,
    href: "/keys",
  });
}

function line(
  kind: Attention["kind"],
  tone: Attention["tone"],
  facts: { count: number; title: string; detail: string | null; href?: string; since?: Date | null },
): Attention {
  const { count, title, detail, href = "/overview", since = null } = facts;
  return { kind, tone, count, title, detail, href, since: since?.toISOString() ?? null };
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
