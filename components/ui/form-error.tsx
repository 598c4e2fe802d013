"use client";

import { ApiProblem } from "#lib/client/problem.ts";
import { ErrorPanel } from "./error-panel.tsx";

/** What the server said about one field of the form. */
export function fieldError(error: unknown, path: string): string | undefined {
  if (!(error instanceof ApiProblem)) return undefined;
  return error.fieldErrors.find((entry) => entry.path === path)?.message;
}

/** What it said about the whole; nothing when the fields already show it. */
export function FormError({ what, error, fields = [] }: { what: string; error: unknown; fields?: readonly string[] }) {
  if (error === null || error === undefined) return null;
  const shownAtFields =
    error instanceof ApiProblem &&
    error.fieldErrors.length > 0 &&
    error.fieldErrors.every(({ path }) => fields.includes(path));
  return shownAtFields ? null : <ErrorPanel what={what} error={error} />;
}
