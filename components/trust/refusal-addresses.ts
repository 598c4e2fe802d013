import { count } from "#lib/client/format.ts";
import { MOST_REFUSAL_ADDRESSES } from "#lib/domain/refusals.ts";

/** How many there were besides the last one; of so many that only the newest are kept, that there were at least these. */
export function otherAddresses(addresses: readonly string[]): string {
  const others = count(addresses.length - 1);
  return addresses.length < MOST_REFUSAL_ADDRESSES ? `and ${others} more` : `and ${others} or more`;
}
