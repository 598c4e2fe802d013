import { parseAsString } from "nuqs/server";

export const MENDER_PAGE_SIZE = 50;

/** The state of the Mender log in the URL. */
export const menderLogParams = {
  q: parseAsString.withDefault(""),
  show: parseAsString.withDefault(""),
  device: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

export function toMenderLogQuery(params: { q: string; device: string; cursor: string }, outcomes: readonly string[]) {
  const { q, device, cursor } = params;
  return { q, deviceUuid: device, cursor, outcome: outcomes.join(","), limit: MENDER_PAGE_SIZE };
}
