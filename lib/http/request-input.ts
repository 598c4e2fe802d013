import type { z } from "zod";
import type { Endpoint } from "#lib/contracts/console/endpoint.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { type Json, parseJsonBounded } from "#lib/uptane/json.ts";
import { mediaType, readBounded } from "./body.ts";

const BODY_BYTES = 65_536;
const BODY_DEPTH = 16;
const BODY_NODES = 50_000;
const MAX_ERRORS = 20;

/** The parameters of `/api/v1/devices/{uuid}` in an address, each decoded once. @throws AppError `request.invalid` */
export function parseParams<P extends z.ZodType>(
  endpoint: Pick<Endpoint<P>, "path" | "params">,
  pathname: string,
): z.infer<P> {
  if (endpoint.params === undefined) return undefined as z.infer<P>; // a row without params types them as unknown
  const names = endpoint.path.split("/");
  const values = pathname.split("/");
  const params = names.flatMap((name, index) =>
    name.startsWith("{") ? [[name.slice(1, -1), decode(values[index] ?? "")]] : [],
  );
  return check(endpoint.params, Object.fromEntries(params));
}

/** A parameter given twice is two answers to one question. @throws AppError `request.invalid` */
export function parseQuery<Q extends z.ZodType>(
  endpoint: Pick<Endpoint<z.ZodType, Q>, "query">,
  search: URLSearchParams,
): z.infer<Q> {
  const names = [...search.keys()];
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw invalid([{ path: repeated, message: "is given twice" }]);
  if (endpoint.query !== undefined) return check(endpoint.query, Object.fromEntries(search));
  if (names[0] !== undefined) throw invalid([{ path: names[0], message: "is not known here" }]);
  return undefined as z.infer<Q>; // a row without query types it as unknown
}

/**
 * Reads and checks a JSON body, bounded in bytes, depth and values. No body at all counts as `{}`, since scripts send none to an
 * action without options.
 *
 * @throws AppError `request.invalid` with `detail` [{path, message}] | `request.too_large` | `request.unsupported_media_type`
 */
export async function readJsonBody<B extends z.ZodType>(
  endpoint: Pick<Endpoint<z.ZodType, z.ZodType, B>, "body" | "maxBodyBytes">,
  req: Request,
): Promise<z.infer<B>> {
  if (endpoint.body === undefined) return undefined as z.infer<B>; // a row without body types it as unknown
  const maxBytes = endpoint.maxBodyBytes ?? BODY_BYTES;
  const type = mediaType(req);
  if (type !== null && type !== "application/json") throw unsupported();
  const bytes = await readBounded(req, maxBytes);
  if (bytes.length === 0) return check(endpoint.body, {});
  if (type === null) throw unsupported();
  return check(endpoint.body, parseBody(bytes, maxBytes));
}

function parseBody(bytes: Buffer, maxBytes: number): Json {
  try {
    return parseJsonBounded(bytes, { maxBytes, maxDepth: BODY_DEPTH, maxNodes: BODY_NODES });
  } catch (cause) {
    if (isAppError(cause, "uptane.too_large")) throw new AppError("request.too_large", cause.message, { cause });
    if (isAppError(cause)) throw new AppError("request.invalid", cause.message, { cause });
    throw cause;
  }
}

function check<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.map(({ path, message }) => ({ path: path.map(String).join("."), message })));
}

function invalid(errors: { path: string; message: string }[]): AppError {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  const where = first?.path === "" || first === undefined ? "The request" : first.path;
  return new AppError("request.invalid", `${where}: ${first?.message ?? "is not valid"}${more}`, {
    detail: errors.slice(0, MAX_ERRORS),
  });
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new AppError("request.invalid", "The address is not valid.", { cause });
  }
}

function unsupported(): AppError {
  return new AppError("request.unsupported_media_type", "Send the body as application/json.");
}
