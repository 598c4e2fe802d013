/** Enrolment's face to the other areas and processes; README.md says what it guarantees. */
export { enrolDevice, judgeToken, type UsableToken } from "./enrol.ts";
export { type Published, readPublished, readPublishedFor } from "./published.ts";
export { type EnrolmentAnswer, type EnrolmentRefusal, refuse as refuseEnrolment } from "./refusals.ts";
export { renewCertificate } from "./renew.ts";
export { REQUEST_MAX_BYTES } from "./request.ts";
export { createEnrolmentToken, getEstAddress, listEnrolmentTokens, revokeEnrolmentToken } from "./tokens.ts";
