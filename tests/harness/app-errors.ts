import { expect } from "vitest";
import { isAppError } from "#lib/errors/app-error.ts";
import type { ErrorCode } from "#lib/errors/codes.ts";

/** Asserts that `run` throws an AppError of that code; anything else fails, with the thrown error as cause. */
export function expectCode(run: () => unknown, code: ErrorCode): void {
  expect(codeOf(run)).toBe(code);
}

/** The code that `run` throws, or null when it does not throw. An error that is no AppError passes through. */
export function codeOf(run: () => unknown): ErrorCode | null {
  try {
    run();
    return null;
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
}
