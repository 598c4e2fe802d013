import { type DestinationStream, type Logger, type LoggerOptions, pino } from "pino";
import { isAppError } from "#lib/errors/app-error.ts";

export type Log = Logger;

/** Structured logs, a JSON object a line on standard output. Known places of secrets are removed whatever the caller passes. */
export function createLog(part: string, level: string, destination?: DestinationStream): Log {
  const options: LoggerOptions = {
    level,
    base: { part },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: [
        "*.password",
        "*.token",
        "*.secret",
        "*.authorization",
        "*.cookie",
        "headers.authorization",
        "headers.cookie",
        "req.headers.authorization",
        "req.headers.cookie",
        'res.headers["set-cookie"]',
      ],
      censor: "[removed]",
    },
    serializers: { err: serializeError },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

function serializeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  return {
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...(isAppError(error) ? { code: error.code, ...error.context } : {}),
    ...("code" in error && !isAppError(error) ? { code: error.code } : {}),
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
  };
}
