import { SYSTEM } from "#lib/authz/actor.ts";
import type { AuditEntry } from "#lib/contracts/console/audit.ts";
import type { CertificateDetail } from "#lib/contracts/console/certificates.ts";
import type { Ctx } from "#lib/ctx.ts";
import { becauseOf, reasonInWords } from "#lib/domain/revocation-reasons.ts";
import { listAudit } from "#services/audit/service.ts";
import type { CertificateRow } from "./store.ts";

type Decision = CertificateDetail["decisions"][number];
const LONGEST = 200;

/** What was decided about a certificate, from the audit log, the latest first. */
export async function readDecisions(ctx: Ctx, row: CertificateRow): Promise<Decision[]> {
  const own = { targetKind: "certificate" as const, targetId: row.fingerprint, limit: LONGEST };
  const issue = { action: "certificate.issue" as const, targetKind: "device" as const, limit: LONGEST };
  const [decided, issued] = await Promise.all([
    listAudit(ctx, SYSTEM, own),
    row.issuedHere && row.deviceUuid !== null ? listAudit(ctx, SYSTEM, { ...issue, targetId: row.deviceUuid }) : null,
  ]);
  const made = issued?.data.filter(({ after }) => after?.fingerprint === row.fingerprint) ?? [];
  const entries = [...decided.data.filter(({ action }) => !SWEEPS.has(action)), ...made];
  const settled = new Set(entries.map(({ settles }) => settles));
  // What was asked for stands there only until it is known what became of it; that has the explanation of both.
  const asked = new Map(entries.map((entry) => [entry.sequence, entry]));
  const shown = entries
    .filter(({ sequence }) => !settled.has(sequence))
    .map((entry) => ({ ...toDecision(entry), why: explain(entry, asked.get(entry.settles ?? "")) }));
  return [...ended(row, entries), ...shown].sort((a, b) => b.at.localeCompare(a.at));
}

/** They tell of many certificates in one entry. */
const SWEEPS: ReadonlySet<string> = new Set([
  "certificate.supersede",
  "certificate.lapse",
  "certificate.revoke_with_authority",
]);

/** A sweep writes one entry for many: the certificate's own row says what became of it. */
function ended(row: CertificateRow, entries: readonly AuditEntry[]): Decision[] {
  const { state, decidedAt } = row;
  if (decidedAt === null) return [];
  const told = { at: decidedAt.toISOString(), by: row.decidedBy ?? SYSTEM.name, outcome: "done" as const };
  if (state === "superseded") {
    const why = "A newer certificate of its device had taken its place, and its grace was over.";
    return [{ ...told, action: "certificate.supersede", why }];
  }
  if (state !== "revoked" || entries.some(({ action }) => action === "certificate.revoke")) return [];
  const why = `The authority that signed it was revoked${becauseOf(row.revocationReason, null)}`;
  return [{ ...told, action: "certificate.revoke_with_authority", why }];
}

function toDecision({ at, actor, action, outcome }: AuditEntry): Omit<Decision, "why"> {
  return { at, by: actor.name, action, outcome };
}

function explain(entry: AuditEntry, asked: AuditEntry | undefined): string | null {
  const facts = { ...asked?.after, ...entry.after };
  const parts = [
    facts.by === "allowlist" ? `An allowlist entry${textOf(" by ", facts.kind)} named it.` : null,
    facts.by === "policy of the authority" ? "Its authority admits all that it signed." : null,
    facts.enrolmentToken === undefined ? null : "It was enrolled with a token.",
    facts.provisioningCredential === undefined ? null : "It registered with a provisioning credential.",
    textOf("Asked for by the device's own certificate ", facts.renewalOf, "."),
    Array.isArray(facts.replaced) && facts.replaced.length > 0
      ? `It took the place of ${facts.replaced.join(", ")}.`
      : null,
    typeof facts.reason === "string" ? `Reason: ${reasonInWords(facts.reason)}.` : null,
  ].filter((part) => part !== null && part !== "");
  // A note that stands alone needs no name.
  const note = textOf(parts.length === 0 ? "" : "Note: ", facts.note);
  return [...parts, note].join(" ").trim() || null;
}

function textOf(before: string, value: unknown, after = ""): string {
  return typeof value === "string" && value !== "" ? `${before}${value}${after}` : "";
}
