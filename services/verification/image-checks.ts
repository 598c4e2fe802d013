import { setTimeout as sleep } from "node:timers/promises";
import type { Backends } from "#lib/backends/backends.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { findListed, httpSource, type RepositorySource } from "./source.ts";
import * as store from "./store.ts";
import { checkImage, type ListedImage, openChain } from "./verify.ts";

/**
 * Has images looked at before devices are told to install them, unless that was done in the last ten minutes.
 *
 * Whether they passed is what `condemnedImages` says then. Names that the repository does not list are left to their fate: devices
 * refuse them.
 *
 * @param withinMs how long the caller waits; the check itself goes on
 * @throws AppError `ota.image_being_checked` when the caller is to ask again | `backend.*` | `uptane.*` (nothing to judge by)
 */
export type CheckImages = (ctx: Ctx, filenames: readonly string[], withinMs?: number) => Promise<void>;

/** An image repository as a check of its images needs it. */
export type CheckedRepository = {
  list(ctx: Ctx, filenames: readonly string[]): Promise<ListedImage[]>;
  source(ctx: Ctx): Promise<RepositorySource>;
};

/** Long enough for all batches of a large launch, short enough that a byte which changed is found. */
const LOOK_HOLDS_MS = 600_000;
const WITHIN_MS = 5_000;
/** Waiting for their turn; more are asked for again. */
const MAX_WAITING = 100;

/** The checks of one process: one at a time, since each reads as fast as the storage can, and each image once however many ask. */
export function createImageChecks(
  repository: CheckedRepository,
  { withinMs: usualMs = WITHIN_MS }: { withinMs?: number } = {},
): CheckImages {
  const underway = new Map<string, Promise<void>>();
  let last: Promise<unknown> = Promise.resolve();

  function start(ctx: Ctx, listed: ListedImage): Promise<void> {
    const key = `${ctx.namespaceId}/${listed.filename}/${listed.sha256}`;
    const known = underway.get(key);
    if (known !== undefined) return known;
    if (underway.size >= MAX_WAITING) return Promise.reject(beingChecked([listed]));
    const check = last
      .then(() => look(ctx, repository, listed))
      .finally(() => {
        underway.delete(key);
      });
    underway.set(key, check);
    last = check.catch((err) => ctx.log.warn({ err, filename: listed.filename }, "an image could not be checked"));
    return check;
  }

  return async (ctx, filenames, withinMs = usualMs) => {
    const due = await listDue(ctx, repository, filenames);
    if (due.length === 0) return;
    const all = Promise.all(due.map((listed) => start(ctx, listed)));
    all.catch(() => undefined); // told to whoever still waits
    const patience = new AbortController();
    const late = sleep(withinMs, "late", { signal: patience.signal }).catch(() => "over");
    try {
      if ((await Promise.race([all, late])) === "late") throw beingChecked(due);
    } finally {
      patience.abort();
    }
  };
}

/** The image repository that this install uses, over its contract. */
export function httpRepository(backends: Backends): CheckedRepository {
  return {
    async list(ctx, filenames) {
      const listed: ListedImage[] = [];
      for (const filename of filenames) {
        const image = await findListed({ ...ctx, backends }, filename);
        if (image !== null) listed.push(image);
      }
      return listed;
    },
    source: async (ctx) => httpSource({ ...ctx, backends }),
  };
}

/** Those that nobody has looked at lately, or not at these bytes. */
async function listDue(
  ctx: Ctx,
  repository: CheckedRepository,
  filenames: readonly string[],
): Promise<readonly ListedImage[]> {
  const names = [...new Set(filenames)];
  const looks = new Map((await store.listLooks(ctx.db, ctx.namespaceId, names)).map((look) => [look.filename, look]));
  const listed = await repository.list(ctx, names);
  return listed.filter(({ filename, sha256 }) => {
    const known = looks.get(filename);
    const isOfThese = known !== undefined && (known.sha256 === null || known.sha256 === sha256);
    return !isOfThese || ctx.clock().getTime() - known.checkedAt.getTime() >= LOOK_HOLDS_MS;
  });
}

async function look(ctx: Ctx, repository: CheckedRepository, listed: ListedImage): Promise<void> {
  const source = await repository.source(ctx);
  await checkImage(ctx, source, { chain: await openChain(ctx, source), filename: listed.filename, listed });
}

function beingChecked(images: readonly ListedImage[]): AppError {
  const names = images.map(({ filename }) => filename).join(", ");
  return new AppError(
    "ota.image_being_checked",
    `The stored bytes of ${names} are being checked before the first device gets them. Ask again in a few seconds.`,
  );
}
