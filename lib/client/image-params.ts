import { parseAsString } from "nuqs/server";

export const IMAGE_PAGE_SIZE = 50;

/** The list of images, in the URL. */
export const imageParams = {
  q: parseAsString.withDefault(""),
  hardware: parseAsString.withDefault(""),
  sort: parseAsString.withDefault("-createdAt"),
  cursor: parseAsString.withDefault(""),
};

export function toImageQuery(params: { q: string; hardware: string; sort: string; cursor: string }) {
  return { ...params, limit: IMAGE_PAGE_SIZE };
}
