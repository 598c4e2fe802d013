import { z } from "zod";
import { isAppError } from "#lib/errors/app-error.ts";
import type { Log } from "#lib/log/log.ts";
import { toProblem } from "./problems.ts";

/** What any reply of the API carries: never kept by a cache, never rendered as a page. */
export const API_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
  "x-content-type-options": "nosniff",
} as const;

const RetryAfter = z.object({ retryAfterSeconds: z.number().int().positive() });

/** An error as the caller sees it; what is ours to mend is logged here, once, under the request id. */
export function problemResponse(error: unknown, request: { requestId: string; log: Log }): Response {
  const { status, body } = toProblem(error, request.requestId);
  if (status >= 500) {
    request.log[isAppError(error) ? "warn" : "error"]({ err: error, requestId: request.requestId }, "a request failed");
  }
  const retryAfter = isAppError(error, "request.rate_limited") ? RetryAfter.safeParse(error.detail) : null;
  return Response.json(body, {
    status,
    headers: {
      ...API_HEADERS,
      "content-type": "application/problem+json",
      "x-request-id": request.requestId,
      ...(status === 401 ? { "www-authenticate": 'Bearer realm="gatehouse"' } : {}),
      ...(retryAfter?.success ? { "retry-after": String(retryAfter.data.retryAfterSeconds) } : {}),
    },
  });
}

/** Bytes as they are kept, byte for byte. */
export function bytesResponse(bytes: Buffer, about: { contentType: string; requestId: string }): Response {
  return new Response(Uint8Array.from(bytes), {
    headers: { ...API_HEADERS, "content-type": about.contentType, "x-request-id": about.requestId },
  });
}
