import type { AuditAction, AuditEntry } from "#lib/contracts/console/audit.ts";

/** What was done, to be read between who and what: "Mara approved the certificate of plc-044". */
export const DEEDS: Readonly<Record<AuditAction, string>> = {
  "setup.complete": "set up this install",
  "session.sign_in": "signed in",
  "session.sign_out": "signed out",
  "session.revoke_all": "ended all sessions of",
  "user.create": "created the user",
  "user.change": "changed the user",
  "user.delete": "deleted the user",
  "token.create": "created the token",
  "token.revoke": "revoked the token",
  "image.change": "changed what is said of the image",
  "delegations.change": "changed who signs images of the",
  "keys.export": "took a private key out of the",
  "keys.set_expiry": "changed how long the root is valid of the",
  "machine_client.create": "created the machine client",
  "machine_client.revoke": "revoked the machine client",
  "authority.create": "created the authority",
  "authority.upload": "uploaded the authority",
  "authority.order_proof": "asked for a code to prove the authority",
  "authority.prove": "proved the possession of the key of the authority",
  "authority.change": "changed the rules of the authority",
  "authority.issue_with": "had devices' certificates issued by the authority",
  "authority.close": "closed to newcomers the authority",
  "authority.reopen": "reopened the authority",
  "authority.revoke": "revoked the authority",
  "authority.delete": "deleted the unproved authority",
  "server_ca.prepare": "prepared the next server CA",
  "server_ca.switch": "switched the doors to the server CA",
  "server_ca.cancel": "dropped the next server CA",
  "certificate.issue": "issued credentials to",
  "credentials.build": "made the build credentials",
  "provisioning_credential.create": "created the provisioning credential",
  "provisioning_credential.revoke": "revoked the provisioning credential",
  "enrolment_token.create": "created the enrolment token",
  "enrolment_token.revoke": "revoked the enrolment token",
  "certificate.allow": "allowed the certificate",
  "allowlist.add": "put on the allowlist",
  "allowlist.remove": "took off the allowlist",
  "allowlist.import": "imported into the allowlist",
  "certificate.hold": "put on hold the certificate of",
  "certificate.release": "released the certificate of",
  "certificate.lapse": "let lapse",
  "certificate.revoke_with_authority": "revoked with their authority",
  "certificate.supersede": "superseded",
  "certificate.approve": "approved the certificate of",
  "certificate.reject": "rejected the certificate of",
  "certificate.renew": "took into use the renewed certificate of",
  "certificate.revoke": "revoked the certificate of",
  "renewal_campaign.create": "began the renewal campaign",
  "renewal_campaign.close": "closed the renewal campaign",
  "notice.acknowledge": "acknowledged the notice",
  "device.rename": "renamed the device",
  "device.delete": "deleted the device",
  "image.upload": "uploaded the image",
  "image.delete": "deleted the image",
  "image.sign": "added an OpenPGP signature to the image",
  "openpgp_key.add": "trusted the OpenPGP key",
  "openpgp_key.remove": "withdrew the trust in the OpenPGP key",
  "update.launch": "launched the update",
  "update.cancel": "cancelled the update",
  "simulation.start": "started the simulated device",
  "simulation.stop": "stopped the simulated device",
  "mender.preauthorize": "preauthorized at the Mender server the device",
  "mender.accept": "accepted at the Mender server the key of",
  "mender.recognise": "recognised at the Mender server the device",
  "mender.reject": "rejected at the Mender server the key of",
  "header_mode.change": "switched the belief in proxies that name devices",
  "header_mode.check": "asked for a test of the proxy at",
  "backend.call": "changed, through the back-end proxy,",
  "keys.rotate": "rotated root and targets keys of the",
  "keys.push_root": "put a root in force that was signed elsewhere, in the",
  "keys.push_targets": "put targets in force that were signed elsewhere, in the",
  "keys.take_offline": "deleted a private key of the",
  "keys.re_sign": "had metadata signed anew in the",
};

/** Deeds whose target is the one who did it. */
const ABOUT_SELF: ReadonlySet<AuditAction> = new Set(["setup.complete", "session.sign_in", "session.sign_out"]);

export function auditSentence({ actor, action, target, outcome }: AuditEntry): string {
  const what = ABOUT_SELF.has(action) ? "" : ` ${target.name ?? shortId(target.id)}`;
  const end = outcome === "done" ? "" : outcome === "requested" ? " (requested)" : ` (${outcome})`;
  return `${actor.name} ${DEEDS[action]}${what}${end}`;
}

function shortId(id: string): string {
  return id.length > 20 ? `${id.slice(0, 8)}…` : id;
}
