/** Identity's face to the other areas and processes; README.md says what it guarantees. */
export {
  createProvisioningCredential,
  listProvisioningCredentials,
  revokeProvisioningCredential,
} from "./bootstrap.ts";
export { countTrust, getCertificate, listCertificates, listRefusals } from "./certificates.ts";
export { type BuildCtx, buildCredentials } from "./credentials-build.ts";
export type { IdentityCtx } from "./ctx.ts";
export {
  allowCertificate,
  approveCertificate,
  rejectCertificate,
  revokeCertificate,
  revokeCertificatesOfDevice,
} from "./decisions.ts";
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
export {
  type Bootstrap,
  judgeBootstrap,
  NOT_A_PROVISIONING_CERTIFICATE,
  type ProvisioningRefusal,
  provisionDevice,
} from "./provision.ts";
export { joinGroup, registerDevice, unregisterDevice } from "./registration.ts";
export {
  type AdmissionFacts,
  admitNewcomer,
  type Claim,
  type RefusedVisit,
  readAdmissionFacts,
  recordPending,
  recordRefusals,
  recordVisits,
  type Visit,
} from "./visits.ts";
