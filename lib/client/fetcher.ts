import { readProblem, unreachable } from "./problem.ts";
import { countSignIns, waitForSignIn } from "./sign-in-again.ts";

export type QueryValue = string | number | boolean | readonly string[] | null | undefined;

export type Call = {
  query?: Readonly<Record<string, QueryValue>>;
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  raw?: { contentType: string; content: Blob };
  signal?: AbortSignal;
  /** Calls that are themselves part of signing in must not ask for it again. */
  withoutSession?: boolean;
};

/**
 * Calls the console API. The reply is typed, not parsed again: the server narrowed it by the contract's schema, and the schemas stay out
 * of the browser's bundle.
 *
 * 401 asks to sign in again in place and repeats the call once; 403 is an error like others and never signs out.
 *
 * @throws ApiProblem for every answer that is no success, and when there was none
 */
export async function call<T>(
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  options: Call = {},
): Promise<T> {
  const signIns = countSignIns();
  let response = await send(method, path, options);
  if (response.status === 401 && options.withoutSession !== true) {
    const signedInMeanwhile = countSignIns() > signIns;
    if (signedInMeanwhile || (await waitForSignIn())) response = await send(method, path, options);
  }
  if (!response.ok) throw await readProblem(response);
  if (response.status === 204) return undefined as T; // the endpoints of such replies are typed void
  return (await response.json()) as T; // narrowed by the server, see above
}

async function send(method: string, path: string, { query, body, raw, signal }: Call): Promise<Response> {
  try {
    return await fetch(withQuery(path, query), {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(raw === undefined ? {} : { "content-type": raw.contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(raw === undefined ? {} : { body: raw.content }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    if (signal?.aborted === true) throw cause;
    throw unreachable(cause);
  }
}

/** `/api/v1/devices` with its query, lists joined by commas, absent and empty values left out. */
export function withQuery(path: string, query: Readonly<Record<string, QueryValue>> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (typeof value === "object") {
      if (value.length > 0) search.set(name, value.join(","));
    } else search.set(name, String(value));
  }
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}
