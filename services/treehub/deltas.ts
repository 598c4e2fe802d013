import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { KEEPING } from "#lib/blobs/store.ts";
import { lockInTransaction, type Tx } from "#lib/db/client.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { receiveUpload } from "#lib/http/receive-upload.ts";
import { type DeltaId, formatDeltaId, serialiseDeltaIndex } from "#lib/ostree/deltas.ts";
import { keepTurns, lockBlob } from "./keeping.ts";
import { keyOfNamespace, OBJECT_MAX_BYTES, sendBlob, type TreehubCtx } from "./objects.ts";
import * as store from "./store-deltas.ts";

type DeltaFileName = { id: DeltaId; file: string };

/**
 * Receives one file of a static delta. The superblock comes with its own digest and is refused when it has another; with it the delta can
 * be had.
 *
 * @throws AppError `ota.static_delta_exists` (another superblock) | `uptane.hash_mismatch` | `ota.invalid_entity` (no length) |
 *   `request.too_large` | `ota.request_canceled_by_upstream`
 * @see contracts/treehub.md sections 1 and 6
 */
export async function storeDeltaFile(
  ctx: TreehubCtx,
  { id, file, superblockSha256 }: DeltaFileName & { superblockSha256: string },
  req: IncomingMessage,
): Promise<void> {
  const delta = { id: formatDeltaId(id), fromCommit: id.from, toCommit: id.to, superblockSha256 };
  if (!(Number(req.headers["content-length"]) > 0)) {
    req.resume();
    throw new AppError("ota.invalid_entity", "A file of a delta comes with its Content-Length.");
  }
  const { staged } = await receiveUpload(req, ctx.blobs, {
    maxBytes: OBJECT_MAX_BYTES,
    expectSha256: file === "superblock" ? superblockSha256 : undefined,
  });
  try {
    const blobKey = `${keyOfNamespace(ctx.namespaceId)}/deltas/${id.from}-${id.to}/${file}`;
    await keepTurns(() =>
      ctx.db.$transaction(async (tx) => {
        await openDelta(tx, ctx, delta);
        await store.putDeltaFile(tx, ctx.namespaceId, { deltaId: delta.id, file, blobKey, length: staged.length });
        if (file === "superblock") {
          await store.setDeltaState(tx, ctx.namespaceId, { id: delta.id, state: "available", now: ctx.clock() });
        }
        await lockBlob(tx, blobKey);
        await staged.keep(blobKey);
      }, KEEPING),
    );
  } finally {
    await staged.discard();
  }
}

/** @throws AppError `ota.delta_missing` | `ota.static_delta_not_uploaded` | `ota.blob_missing` */
export async function sendDeltaFile(
  ctx: TreehubCtx,
  { id, file }: DeltaFileName,
  http: { req: FastifyRequest; reply: FastifyReply },
): Promise<FastifyReply> {
  const delta = await store.findDelta(ctx.db, ctx.namespaceId, formatDeltaId(id));
  if (delta === null || delta.state === "deleted") throw deltaMissing();
  if (delta.state !== "available") {
    throw new AppError("ota.static_delta_not_uploaded", "The delta's superblock is not here yet.");
  }
  const row = await store.findDeltaFile(ctx.db, ctx.namespaceId, { deltaId: delta.id, file });
  if (row === null) throw deltaMissing();
  return sendBlob(ctx, row, { ...http, etag: `"${delta.superblockSha256}-${file}"` });
}

/** Takes a delta off; the worker removes its files. @throws AppError `ota.delta_missing` */
export async function deleteDelta(ctx: TreehubCtx, id: DeltaId): Promise<void> {
  const delta = await getDelta(ctx, id);
  await store.setDeltaState(ctx.db, ctx.namespaceId, { id: delta.id, state: "deleted", now: ctx.clock() });
}

/** The part of its address that names a delta. @throws AppError `ota.delta_missing` */
export async function pathOfDelta(ctx: TreehubCtx, id: DeltaId): Promise<string> {
  const delta = await getDelta(ctx, id);
  return `${delta.id.slice(0, 2)}/${delta.id.slice(2)}`;
}

/** The index of the deltas that lead to a commit. @throws AppError `ota.delta_missing` when there is none */
export async function deltaIndex(ctx: TreehubCtx, toCommit: string): Promise<Buffer> {
  const deltas = await store.deltasTo(ctx.db, ctx.namespaceId, toCommit);
  if (deltas.length === 0) throw deltaMissing();
  return serialiseDeltaIndex(
    deltas.map(({ fromCommit, superblockSha256 }) => ({ id: { from: fromCommit, to: toCommit }, superblockSha256 })),
  );
}

type Ends = { from: { commit: string; size: number }[]; to: { commit: string; size: number }[] };

/** For each of these commits that a delta leads from or to: the commits at the other ends. */
export async function deltasByCommit(ctx: TreehubCtx, commits: readonly string[]): Promise<Record<string, Ends>> {
  const deltas = await store.deltasOf(ctx.db, ctx.namespaceId, commits);
  const wanted = new Set(commits);
  const found = new Map<string, Ends>();
  const endsOf = (commit: string) => {
    const ends = found.get(commit) ?? { from: [], to: [] };
    found.set(commit, ends);
    return ends;
  };
  for (const { from, to, size } of deltas) {
    if (wanted.has(to)) endsOf(to).from.push({ commit: from, size });
    if (wanted.has(from)) endsOf(from).to.push({ commit: to, size });
  }
  return Object.fromEntries(found);
}

/** Makes the delta's row at its first file; one that was deleted begins anew. */
async function openDelta(tx: Tx, ctx: TreehubCtx, delta: Omit<store.DeltaRow, "state">): Promise<void> {
  await lockInTransaction(tx, `treehub-delta:${ctx.namespaceId}:${delta.id}`);
  const before = await store.findDelta(tx, ctx.namespaceId, delta.id);
  if (before?.state === "deleted") await store.dropDelta(tx, ctx.namespaceId, delta.id);
  if (before === null || before.state === "deleted") {
    await store.addDelta(tx, ctx.namespaceId, delta, ctx.clock());
    return;
  }
  if (before.superblockSha256 !== delta.superblockSha256) {
    throw new AppError("ota.static_delta_exists", "Another delta between these commits is here already.");
  }
}

async function getDelta(ctx: TreehubCtx, id: DeltaId): Promise<store.DeltaRow> {
  const delta = await store.findDelta(ctx.db, ctx.namespaceId, formatDeltaId(id));
  if (delta === null || delta.state === "deleted") throw deltaMissing();
  return delta;
}

function deltaMissing(): AppError {
  return new AppError("ota.delta_missing", "There is no such delta.");
}
