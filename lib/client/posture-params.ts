import { parseAsArrayOf, parseAsString, parseAsStringLiteral } from "nuqs/server";
import type { ExpiryBucket, SeenClass } from "#lib/contracts/console/posture.ts";
import { toListQuery } from "./trust-params.ts";

/** What the forecast shows, in the URL. */
export const forecastParams = {
  by: parseAsStringLiteral(["months", "weeks"] as const).withDefault("months"),
  simulated: parseAsString.withDefault(""),
};

/** Which devices of the forecast are listed. */
export const expiringParams = {
  from: parseAsString.withDefault(""),
  until: parseAsString.withDefault(""),
  seen: parseAsArrayOf(parseAsString).withDefault([]),
  simulated: parseAsString.withDefault(""),
  q: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

/** Which devices of a renewal campaign are listed. */
export const campaignParams = {
  progress: parseAsString.withDefault(""),
  away: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

/** Open ones, unless the URL says `settled`. */
export const noticeParams = {
  state: parseAsStringLiteral(["open", "acknowledged", "settled"] as const).withDefault("open"),
  cursor: parseAsString.withDefault(""),
};

export const findingParams = { cursor: parseAsString.withDefault("") };

export type ExpiringParams = {
  from: string;
  until: string;
  seen: string[];
  simulated: string;
  q: string;
  cursor: string;
};

export function toExpiringQuery(params: ExpiringParams) {
  return toListQuery(params);
}

/** Not heard of for 30 days, or ever. */
export const AWAY = ["silent", "never"] as const satisfies readonly SeenClass[];

/** The address of the list of exactly the devices that a number of the forecast counts. */
export function expiringHref(
  bucket: Pick<ExpiryBucket, "from" | "until">,
  seen: readonly SeenClass[],
  simulated: string,
): string {
  const query = new URLSearchParams();
  if (bucket.from !== null) query.set("from", bucket.from);
  if (bucket.until !== null) query.set("until", bucket.until);
  if (seen.length > 0) query.set("seen", seen.join(","));
  if (simulated !== "") query.set("simulated", simulated);
  return `/trust/forecast/devices?${query}`;
}
