import { KEEPING, type StagedBlob } from "#lib/blobs/store.ts";
import type { Ctx } from "#lib/ctx.ts";
import { type Db, lockInTransaction, locksInTransaction, type Tx } from "#lib/db/client.ts";
import { type Batches, createBatches } from "./batches.ts";
import * as store from "./store.ts";
import { createTurns } from "./turns.ts";

/**
 * Each holds a connection to the database until its bytes are in their place. Thirty uploads of one client would take all there are, and
 * whoever waits for one for long is refused.
 */
export const keepTurns = createTurns(4);

/** What is longer may take long to get its place, and nothing small waits for it. */
const SMALL_BYTES = 1_048_576;

export type Arrival = { readonly object: store.NewObject; readonly staged: StagedBlob };
type Question = { readonly namespaceId: string; readonly blobKey: string };

/**
 * The row of an object. Thirty uploads of one client begin with thirty such questions; they are asked of the database together.
 *
 * @returns null when it is not listed
 */
export async function findObject(ctx: Ctx, blobKey: string): Promise<store.ObjectRow | null> {
  const { row } = await batchesOf(ctx.db).find({ namespaceId: ctx.namespaceId, blobKey });
  return row;
}

/**
 * Puts an object's bytes in their place and lists it, in one transaction, so that a listed object always has its bytes; what a failed
 * commit leaves is swept. A transaction costs more than a small object, so those that arrive at the same time share one; each has its
 * place, durably, before that commits and anybody is answered.
 *
 * @returns false when it was listed already
 */
export async function listObject(ctx: Ctx, arrival: Arrival): Promise<boolean> {
  if (arrival.object.length <= SMALL_BYTES) return batchesOf(ctx.db).list(arrival);
  const [isNew = false] = await keepTurns(() => listTogether(ctx.db, [arrival]));
  if (isNew instanceof Error) throw isNew;
  return isNew;
}

/** Whoever keeps, lists or removes bytes under a key does it one after the other. */
export async function lockBlob(tx: Tx, blobKey: string): Promise<void> {
  await lockInTransaction(tx, lockOf(blobKey));
}

const lockOf = (blobKey: string) => `blob:${blobKey}`;

type OfDatabase = {
  readonly find: Batches<Question, { row: store.ObjectRow | null }>;
  readonly list: Batches<Arrival, boolean>;
};

const known = new WeakMap<Db, OfDatabase>();

function batchesOf(db: Db): OfDatabase {
  const made = known.get(db) ?? {
    find: createBatches({ width: 2, most: 200, keyOf: ({ blobKey }) => blobKey, run: (asked) => findAll(db, asked) }),
    list: createBatches({
      width: 2,
      most: 32,
      keyOf: ({ object }) => object.blobKey,
      run: (arrivals) => listTogether(db, arrivals),
    }),
  };
  known.set(db, made);
  return made;
}

async function findAll(db: Db, asked: readonly Question[]): Promise<{ row: store.ObjectRow | null }[]> {
  const rows = await store.findObjects(db, asked);
  return asked.map(({ blobKey }) => ({ row: rows.get(blobKey) ?? null }));
}

async function listTogether(db: Db, arrivals: readonly Arrival[]): Promise<(boolean | Error)[]> {
  return db.$transaction(async (tx) => {
    await locksInTransaction(
      tx,
      arrivals.map(({ object }) => lockOf(object.blobKey)),
    );
    const added = await store.addObjects(
      tx,
      arrivals.map(({ object }) => object),
    );
    const results = await Promise.all(
      arrivals.map(async ({ object: { blobKey }, staged }) => {
        if (!added.has(blobKey)) return false;
        return staged.keep(blobKey).then(() => true, asError);
      }),
    );
    const failed = arrivals.filter((_, index) => results[index] instanceof Error).map(({ object }) => object);
    if (failed.length > 0) await store.dropObjects(tx, failed);
    return results;
  }, KEEPING);
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error("the bytes can't be kept", { cause });
}
