import { AppError, isAppError } from "#lib/errors/app-error.ts";

/** What an image repository's refusal means for an image. */
export function asImageError(error: unknown): never {
  if (isRefused(error, 404)) throw new AppError("image.not_found", "There is no such image.", { cause: error });
  if (isRefused(error, 409))
    throw new AppError("image.exists", "An image of this name exists with other content.", { cause: error });
  if (isRefused(error, 400)) throw new AppError("image.invalid", error.message, { cause: error });
  if (isRefused(error, 413))
    throw new AppError("request.too_large", "The image is larger than the repository takes.", { cause: error });
  throw error;
}

export function isRefused(error: unknown, status: number): error is AppError {
  return isAppError(error, "backend.refused") && error.context.status === status;
}
