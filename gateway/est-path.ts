import { readSegments } from "./path-segments.ts";

export const EST_OPERATIONS = {
  cacerts: "GET",
  csrattrs: "GET",
  simpleenroll: "POST",
  simplereenroll: "POST",
} as const;
export type EstOperation = keyof typeof EST_OPERATIONS;

/** What is asked under the address of RFC 7030, and which authority the address names. */
export type EstPath = { readonly operation: EstOperation; readonly label: string | null };

/** Is this a request by RFC 7030? */
export function isEst(url: string): boolean {
  return url.startsWith("/.well-known/est/");
}

/**
 * Reads `/.well-known/est/<operation>` and `/.well-known/est/<label>/<operation>`.
 *
 * @returns null for any other path
 * @see RFC 7030 section 3.2.2
 */
export function readEstPath(url: string): EstPath | null {
  const segments = readSegments(url);
  if (segments === null || segments.length < 3 || segments.length > 4) return null;
  const [operation, label = null] = segments.slice(2).reverse();
  const known = (Object.keys(EST_OPERATIONS) as EstOperation[]).find((name) => name === operation); // keys of a literal
  return known === undefined || label === "" ? null : { operation: known, label };
}
