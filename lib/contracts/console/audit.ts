import { z } from "zod";
import { Instant, ListQuery, pageOf } from "./common.ts";
import { endpoint } from "./endpoint.ts";

export const AUDIT_ACTIONS = [
  "setup.complete",
  "session.sign_in",
  "session.sign_out",
  "session.revoke_all",
  "user.create",
  "user.change",
  "user.delete",
  "token.create",
  "token.revoke",
  "machine_client.create",
  "machine_client.revoke",
  "authority.create",
  "authority.upload",
  "authority.order_proof",
  "authority.prove",
  "authority.change",
  "authority.issue_with",
  "authority.close",
  "authority.reopen",
  "authority.revoke",
  "authority.delete",
  "server_ca.prepare",
  "server_ca.switch",
  "server_ca.cancel",
  "certificate.issue",
  "provisioning_credential.create",
  "credentials.build",
  "provisioning_credential.revoke",
  "enrolment_token.create",
  "enrolment_token.revoke",
  "certificate.allow",
  "allowlist.add",
  "allowlist.remove",
  "allowlist.import",
  "certificate.hold",
  "certificate.release",
  "certificate.lapse",
  "certificate.revoke_with_authority",
  "certificate.supersede",
  "certificate.approve",
  "certificate.reject",
  "certificate.renew",
  "certificate.revoke",
  "renewal_campaign.create",
  "renewal_campaign.close",
  "notice.acknowledge",
  "device.rename",
  "device.delete",
  "image.upload",
  "image.delete",
  "image.change",
  "delegations.change",
  "image.sign",
  "openpgp_key.add",
  "openpgp_key.remove",
  "update.launch",
  "update.cancel",
  "simulation.start",
  "simulation.stop",
  "mender.preauthorize",
  "mender.accept",
  "mender.recognise",
  "mender.reject",
  "header_mode.change",
  "header_mode.check",
  "backend.call",
  "keys.rotate",
  "keys.push_root",
  "keys.push_targets",
  "keys.take_offline",
  "keys.export",
  "keys.set_expiry",
  "keys.re_sign",
] as const;
export const AuditAction = z.enum(AUDIT_ACTIONS);
export type AuditAction = z.infer<typeof AuditAction>;

export const AuditOutcome = z.enum(["requested", "done", "refused", "unknown"]);
export type AuditOutcome = z.infer<typeof AuditOutcome>;

export const AuditTargetKind = z.enum([
  "install",
  "user",
  "session",
  "token",
  "machine_client",
  "authority",
  "certificate",
  "allowlist_entry",
  "provisioning_credential",
  "enrolment_token",
  "renewal_campaign",
  "notice",
  "device",
  "image",
  "openpgp_key",
  "update",
  "backend",
  "repository",
]);
export type AuditTargetKind = z.infer<typeof AuditTargetKind>;

const Facts = z.record(z.string(), z.unknown()).nullable();

export const AuditEntry = z.object({
  sequence: z.string(),
  at: Instant,
  actor: z.object({
    kind: z.enum(["user", "token", "system", "device", "machine"]),
    id: z.string().nullable(),
    name: z.string(),
  }),
  action: AuditAction,
  outcome: AuditOutcome,
  settles: z.string().nullable(),
  target: z.object({ kind: AuditTargetKind, id: z.string(), name: z.string().nullable() }),
  address: z.string().nullable(),
  requestId: z.string().nullable(),
  before: Facts,
  after: Facts,
});
export type AuditEntry = z.infer<typeof AuditEntry>;

export const ListAudit = ListQuery.extend({
  action: AuditAction.optional(),
  targetKind: AuditTargetKind.optional(),
  targetId: z.string().max(300).optional(),
});
export type ListAudit = z.infer<typeof ListAudit>;

export const listAudit = endpoint({
  method: "GET",
  path: "/api/v1/audit",
  permission: "audit.read",
  summary: "Audit entries, newest first",
  query: ListAudit,
  reply: pageOf(AuditEntry),
});
