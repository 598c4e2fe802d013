import { parseAsString, parseAsStringLiteral } from "nuqs/server";

export const TRUST_PAGE_SIZE = 50;

/** The state of the certificates page in the URL. */
export const certificateParams = {
  state: parseAsString.withDefault(""),
  authorityId: parseAsString.withDefault(""),
  keyType: parseAsString.withDefault(""),
  /** An instant. */
  endsBefore: parseAsString.withDefault(""),
  q: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

/** The state of the allowlist page in the URL. */
export const allowlistParams = {
  kind: parseAsString.withDefault(""),
  use: parseAsString.withDefault(""),
  q: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

/** The state of the refused attempts in the URL. */
export const refusalParams = {
  code: parseAsString.withDefault(""),
  authorityId: parseAsString.withDefault(""),
  q: parseAsString.withDefault(""),
  cursor: parseAsString.withDefault(""),
};

/** Of the waiting queue. */
export const queueParams = { q: parseAsString.withDefault(""), cursor: parseAsString.withDefault("") };

/** Of the enrolment page, which has two lists. */
export const enrolmentParams = { ...queueParams, tokens: parseAsString.withDefault("") };

export function toTokensQuery(params: { tokens: string }) {
  return { cursor: params.tokens, limit: TOKENS_PAGE_SIZE };
}

export const TOKENS_PAGE_SIZE = 20;

/** Of the devices that were given the newest server CA, or were not. */
export const serverCaParams = {
  has: parseAsStringLiteral(["false", "true"]).withDefault("false"),
  cursor: parseAsString.withDefault(""),
};

export function toWaitingQuery(params: { q: string; cursor: string }) {
  return { ...params, state: "pending", limit: TRUST_PAGE_SIZE };
}

export function toListQuery<P extends { cursor: string }>(params: P) {
  return { ...params, limit: TRUST_PAGE_SIZE };
}
