import { z } from "zod";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import type { ImageRepoCtx } from "./images.ts";

/** Long enough for the client to begin; how long the bytes then take does not matter. */
const VALID_MS = 3_600_000;
const PURPOSE = "image-upload-link";

const Claims = z.object({
  namespaceId: z.string(),
  filename: z.string(),
  length: z.number().int(),
  /** Absent for a whole file in one piece. */
  part: z.object({ uploadId: z.string(), number: z.number().int(), md5: z.string() }).nullable(),
});
const Sealed = Claims.extend({ until: z.number() });

/** What a link lets its holder send, and nothing else. */
export type UploadClaims = z.infer<typeof Claims>;

/**
 * An address that takes one piece of an upload, the way object storage gives out pre-signed ones: it says itself what it is
 * good for, sealed under the master key, so that nobody can guess or change it. It leads through the tools door.
 *
 * @see contracts/reposerver-keyserver.md section 3.3
 */
export function makeUploadLink(ctx: ImageRepoCtx, claims: UploadClaims): string {
  const content = JSON.stringify({ ...claims, until: ctx.clock().getTime() + VALID_MS });
  const token = Buffer.from(ctx.keys.seal(Buffer.from(content, "utf8"), PURPOSE)).toString("base64url");
  const filename = claims.filename.split("/").map(encodeURIComponent).join("/");
  const path = claims.part === null ? `uploads/${filename}` : `multipart/part/${filename}`;
  return `${ctx.config.toolsUrl}/repo/api/v1/user_repo/${path}?link=${token}`;
}

/** @throws AppError `auth.forbidden` when the link is not ours, has ended or belongs to another namespace or file */
export function openUploadLink(ctx: ImageRepoCtx, token: string, filename: string): UploadClaims {
  const { until, ...claims } = Sealed.parse(JSON.parse(unseal(ctx, token)));
  const isHere = claims.namespaceId === ctx.namespaceId && claims.filename === filename;
  if (isHere && until > ctx.clock().getTime()) return claims;
  throw new AppError("auth.forbidden", "This upload address is not good any more. Ask for another one.");
}

function unseal(ctx: ImageRepoCtx, token: string): string {
  try {
    return ctx.keys.open(Buffer.from(token, "base64url"), PURPOSE).toString("utf8");
  } catch (cause) {
    if (!isAppError(cause, "keys.unsealable")) throw cause;
    throw new AppError("auth.forbidden", "This is no upload address of this server.", { cause });
  }
}
