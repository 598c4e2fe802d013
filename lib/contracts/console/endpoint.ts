import type { z } from "zod";
import type { Permission } from "#lib/authz/permissions.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * One row of the console API. The route handler, the OpenAPI document, the browser's typed fetcher and the generated
 * authorisation test all read it.
 *
 * `permission: "public"` needs no sign-in; `body: "stream"` leaves the body to the handler (uploads).
 */
export type Endpoint<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> = {
  readonly method: Method;
  /** `/api/v1/devices/{uuid}` */
  readonly path: string;
  readonly permission: Permission | "public";
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Content type of a body the handler reads itself, and its bound. */
  readonly stream?: { contentType: string; maxBytes: number };
  readonly maxBodyBytes?: number;
  /** Status of success; 200 when absent. */
  readonly status?: number;
  readonly reply: R;
  /** Other successful statuses the handler may choose (a dry run that creates nothing). */
  readonly otherStatus?: number;
};

/** Keeps the literal types of a row. */
export function endpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  row: Endpoint<P, Q, B, R>,
): Endpoint<P, Q, B, R> {
  return row;
}
