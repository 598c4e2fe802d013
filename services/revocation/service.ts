/** Revocation's face to the other areas and processes; README.md says what it guarantees. */

export { type CanaryResult, DELAY_BUCKETS_MS, findCanaryRecord, measureRevocation } from "./canary.ts";
export { getCrl, type PublishedCrl, publishCrls } from "./crl.ts";
export {
  type Applied,
  acknowledgeChanges,
  endGateway,
  getAuthorityInForce,
  getInForce,
  hearFromGateway,
  listGateways,
  pruneAcknowledgements,
  type Replica,
} from "./gateways.ts";
export { answerOcsp, createOcspMemory, type OcspAnswer, type OcspMemory } from "./ocsp.ts";
export { getPublication } from "./publication.ts";
export type { CanaryRow as CanaryRecord } from "./store-canary.ts";
