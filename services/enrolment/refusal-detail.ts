import type { EnrolledRow } from "#services/identity/service.ts";
import type { EnrolmentAnswer, EnrolmentRefusal } from "./refusals.ts";

const MOST_CHARACTERS = 1_500;

/** Adds for people who asked, after what else is to be said. What the client is told stays the same. */
export function askedBy(answer: EnrolmentAnswer, who: string): EnrolmentAnswer {
  if (!("refusal" in answer)) return answer;
  const { detail } = answer.refusal;
  return because(answer, `${detail === undefined ? "" : `${detail} `}${who}`);
}

export function because<R extends { readonly refusal: EnrolmentRefusal }>({ refusal }: R, detail: string) {
  return { refusal: { ...refusal, detail: detail.slice(0, MOST_CHARACTERS) } };
}

/** Which certificate has the key already. */
export function ofKey({ fingerprint, name, deviceUuid, state }: EnrolledRow): string {
  const device = name ?? deviceUuid ?? "no device";
  return `The certificate ${shortened(fingerprint)} of ${device} has this key; it is ${state} here.`;
}

export function shortened(fingerprint: string): string {
  return `${fingerprint.slice(0, 8)}…${fingerprint.slice(-4)}`;
}
