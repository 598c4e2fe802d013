import { parseAsArrayOf, parseAsString } from "nuqs/server";

export const PAGE_SIZE = 50;

const many = parseAsArrayOf(parseAsString).withDefault([]);

/** The devices page's state in the URL, read alike by server and browser. The names are those of the API's query. */
export const deviceParams = {
  q: parseAsString.withDefault(""),
  status: many,
  certificate: many,
  hardware: many,
  mender: many,
  image: parseAsString.withDefault(""),
  simulated: parseAsString.withDefault(""),
  sort: parseAsString.withDefault("name"),
  cursor: parseAsString.withDefault(""),
};

export type DeviceParams = {
  q: string;
  status: string[];
  certificate: string[];
  hardware: string[];
  mender: string[];
  image: string;
  simulated: string;
  sort: string;
  cursor: string;
};

export function toDeviceQuery(params: DeviceParams) {
  return { ...params, limit: PAGE_SIZE };
}

/** Facets count the whole set: page and order are nothing to them. */
export function toFacetQuery({ cursor: _cursor, sort: _sort, ...filter }: DeviceParams) {
  return filter;
}
