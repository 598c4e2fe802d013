import { z } from "zod";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { fetchPublic } from "#lib/http/public-fetch.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { putDelegated, requireTrusted } from "./delegations.ts";
import type { ImageRepoCtx } from "./images.ts";
import * as store from "./store-delegations.ts";

const TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 3;
const Headers = z.record(z.string(), z.string());

/**
 * Fetches a delegated role's document from its publisher and takes it as if it had been uploaded. The address and the headers
 * to show there are kept, the headers sealed, for the next time.
 *
 * @throws AppError `ota.delegation_remote_fetch_failed` | `ota.delegation_remote_parse_failed` | `ota.invalid_entity` (an
 *   address that is not to be fetched), and those of `putDelegated`
 * @see contracts/reposerver-keyserver.md section 4
 */
export async function setRemote(
  ctx: ImageRepoCtx,
  repoId: string,
  remote: { name: string; uri: string; headers: Record<string, string>; friendlyName?: string | undefined },
): Promise<void> {
  const { name, uri, headers, friendlyName } = remote;
  await requireTrusted(ctx.db, ctx, name);
  const bytes = await fetchDocument(ctx, uri, headers);
  const plain = Buffer.from(JSON.stringify(headers), "utf8");
  const sealedHeaders = Object.keys(headers).length === 0 ? null : ctx.keys.seal(plain, purposeOf(ctx, name));
  await take(ctx, repoId, { name, bytes, source: { uri, sealedHeaders, friendlyName } });
}

/** Fetches it again from where it came from. @throws AppError as {@link setRemote}, and `ota.missing_remote_delegation_uri` */
export async function refreshRemote(ctx: ImageRepoCtx, repoId: string, name: string): Promise<void> {
  await requireTrusted(ctx.db, ctx, name);
  const known = await store.findDelegation(ctx.db, ctx.namespaceId, name);
  if (known === null || known.remoteUri === null) {
    throw new AppError("ota.missing_remote_delegation_uri", "This delegated role has no remote address.");
  }
  const sealed = known.sealedHeaders === null ? null : Uint8Array.from(known.sealedHeaders);
  const headers = sealed === null ? {} : openHeaders(ctx, name, sealed);
  const bytes = await fetchDocument(ctx, known.remoteUri, headers);
  await take(ctx, repoId, { name, bytes, source: { uri: known.remoteUri, sealedHeaders: sealed } });
}

async function take(ctx: ImageRepoCtx, repoId: string, document: Parameters<typeof putDelegated>[2]): Promise<void> {
  try {
    await putDelegated(ctx, repoId, document);
  } catch (cause) {
    if (!isAppError(cause, "uptane.malformed") && !isAppError(cause, "uptane.expired")) throw cause;
    throw new AppError("ota.delegation_remote_parse_failed", cause.message, { cause });
  }
}

async function fetchDocument(ctx: ImageRepoCtx, uri: string, headers: Record<string, string>): Promise<Buffer> {
  const { maxBytes } = METADATA_LIMITS.imageTargets;
  try {
    const allow = ctx.config.FETCH_PRIVATE;
    const reply = await fetchPublic(uri, { allow, headers, timeoutMs: TIMEOUT_MS, maxRedirects: MAX_REDIRECTS });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of reply) {
      length += chunk.length;
      if (length > maxBytes) throw new AppError("request.too_large", `It has more than ${maxBytes} bytes.`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (cause) {
    if (isAppError(cause, "ota.invalid_entity")) throw cause;
    const why = isAppError(cause) ? ` ${cause.message}` : "";
    throw new AppError("ota.delegation_remote_fetch_failed", `The document could not be fetched.${why}`, { cause });
  }
}

function openHeaders(ctx: ImageRepoCtx, name: string, sealed: Uint8Array): Record<string, string> {
  return Headers.parse(JSON.parse(ctx.keys.open(sealed, purposeOf(ctx, name)).toString("utf8")));
}

function purposeOf(ctx: ImageRepoCtx, name: string): string {
  return `image-delegation:${ctx.namespaceId}:${name}`;
}
