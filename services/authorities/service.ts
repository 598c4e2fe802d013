/** The authorities' face to the other areas and processes; README.md says what it guarantees. */
export {
  type AuthorityProfile,
  assertAuthorityIs,
  BOOTSTRAP_CA_NAME,
  ensureAuthorities,
  findGraceDays,
  findNewcomerRate,
  type Issuer,
  listAuthorityNames,
  listAuthorityProfiles,
  listKnownAuthorities,
  listWaitingDays,
  openBootstrapCa,
  openFleetCa,
} from "./authorities.ts";
export { CANARY_CA_NAME, openCanaryCa } from "./canary.ts";
export { type AdmissionChange, announceChange, announceChanges } from "./changes.ts";
export {
  type DoorCertificate,
  type DoorName,
  ensureDoorCertificate as renewDoorCertificate,
  loadDoorCertificate,
  loadDoorRootPem,
} from "./door-certificate.ts";
export { listPublishedAuthorities, openIssuer } from "./issuing.ts";
export { changeAuthority, createAuthority, uploadAuthority } from "./manage.ts";
export { deleteAuthority, orderAuthorityProof, proveAuthority } from "./proof.ts";
export { type CountCertificates, getAuthority, getAuthorityPem, listAuthorities } from "./read.ts";
export {
  getRevokingAuthority,
  listRevokedAuthorities,
  listRevokingAuthorities,
  type RevokingAuthority,
} from "./revoking.ts";
export {
  type CountServerCaDevices,
  cancelServerCa,
  findNewestServerCaId,
  getServerCa,
  noteServerCaGiven,
  prepareServerCa,
  switchServerCa,
} from "./server-ca.ts";
export { closeAuthority, issueWithAuthority, reopenAuthority, revokeAuthority } from "./states.ts";
