import { parseAsArrayOf, parseAsString } from "nuqs/server";

export const UPDATE_PAGE_SIZE = 50;

const many = parseAsArrayOf(parseAsString).withDefault([]);

/** The list of updates, in the URL. */
export const updateListParams = {
  q: parseAsString.withDefault(""),
  state: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

/** The devices of one update, in the URL. */
export const updateDeviceParams = { state: parseAsString.withDefault(""), cursor: parseAsString.withDefault("") };

/** What a new update begins with when another page leads to it. */
export const newUpdateParams = { devices: many, image: parseAsString.withDefault("") };

export function toUpdateQuery<P extends { cursor: string }>(params: P) {
  return { ...params, limit: UPDATE_PAGE_SIZE };
}
