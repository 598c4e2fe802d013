import { parseAsString } from "nuqs/server";

export const ACCESS_PAGE_SIZE = 50;

/** A list of people or of tokens, in the URL. */
export const accessParams = { q: parseAsString.withDefault(""), cursor: parseAsString.withDefault("") };

export function toAccessQuery(params: { q: string; cursor: string }) {
  return { ...params, limit: ACCESS_PAGE_SIZE };
}
