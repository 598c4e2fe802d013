/** Identity's face to the other areas and processes; README.md says what it guarantees. */
export { addAllowlistEntry, allowCertificate, listAllowlist, removeAllowlistEntry } from "./allowlist.ts";
export { importAllowlist } from "./allowlist-import.ts";
export { approveCertificate } from "./approve.ts";
export { assertGroup } from "./assert-group.ts";
export { countCertificates, previewAuthorityRules } from "./authority-counts.ts";
export { approveCertificates, matchCertificates, rejectCertificates, revokeCertificates } from "./batches.ts";
export {
  createProvisioningCredential,
  listProvisioningCredentials,
  revokeProvisioningCredential,
} from "./bootstrap.ts";
export { countTrust, getCertificate, listCertificates } from "./certificates.ts";
export { type BuildCtx, buildCredentials } from "./credentials-build.ts";
export type { IdentityCtx } from "./ctx.ts";
export { rejectCertificate } from "./decisions.ts";
export { deleteDevice, showCertificates } from "./devices.ts";
export {
  countRenewals,
  type Enrolled,
  type EnrolledRow,
  findEnrolled,
  isDeviceNamed,
  listOfKey,
  lockDevice,
  recordFirst,
  recordRenewal,
} from "./enrolled.ts";
export { issueDevice } from "./issue.ts";
export { findKnownCertificate } from "./known.ts";
export { hadItsNewcomers, takeNewcomer } from "./newcomers.ts";
export {
  type Bootstrap,
  judgeBootstrap,
  NOT_A_PROVISIONING_CERTIFICATE,
  type ProvisioningRefusal,
  provisionDevice,
} from "./provision.ts";
export { listRefusalRates, readRefusalRates } from "./refusal-rates.ts";
export { admitRefused, getRefusal, listRefusals, type RefusedVisit, recordRefusals } from "./refusals.ts";
export { joinGroup, registerDevice, unregisterDevice } from "./registration.ts";
export { holdCertificate, releaseCertificate, revokeCertificate, revokeCertificatesOfDevice } from "./revoke.ts";
export { countDevicesWith, countDevicesWithout, listServerCaDevices } from "./server-ca-devices.ts";
export { lapseWaiting, noteKeys, revokeFallen, supersedeReplaced } from "./sweeps.ts";
export {
  type AdmissionFacts,
  admitNewcomer,
  type Claim,
  readAdmissionFacts,
  readDecidedFacts,
  recordPending,
  recordVisits,
  type Visit,
} from "./visits.ts";
