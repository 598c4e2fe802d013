/** Revocation's face to the other areas and processes; README.md says what it guarantees. */
export { getCrl, type PublishedCrl, publishCrls } from "./crl.ts";
export { answerOcsp, createOcspMemory, type OcspAnswer, type OcspMemory } from "./ocsp.ts";
