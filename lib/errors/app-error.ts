import type { ErrorCode } from "#lib/errors/codes.ts";

/** Ids and numbers for the log; never part of a reply. */
export type LogContext = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Next bundles this module once a layer, so one process has several such classes: an instance is known by its brand. */
const BRAND = Symbol.for("gatehouse.app-error");

/**
 * The one error that crosses a module's border. It knows nothing of HTTP: each edge translates
 * `code` by its own table. `message` is shown to the caller, so it names the cause and the mend and holds no secret.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly [BRAND] = true;
  readonly code: ErrorCode;
  readonly context: LogContext;
  /** Structured detail that belongs in the reply (field errors, missing ids); public like the message. */
  readonly detail: unknown;

  constructor(
    code: ErrorCode,
    publicMessage: string,
    extra: { cause?: unknown; context?: LogContext; detail?: unknown } = {},
  ) {
    super(publicMessage, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.code = code;
    this.context = extra.context ?? {};
    this.detail = extra.detail;
  }
}

export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return isBranded(error) && (code === undefined || error.code === code);
}

function isBranded(error: unknown): error is AppError {
  return error instanceof Error && BRAND in error;
}
