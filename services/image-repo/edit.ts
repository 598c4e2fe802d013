import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { JsonObject } from "#lib/uptane/json.ts";
import { type AuditFacts, recordByMachine } from "#services/audit/service.ts";
import { currentRoot } from "#services/keyserver/service.ts";
import { acceptProprietary } from "./custom.ts";
import type { ImageRepoCtx } from "./images.ts";
import { lockRepo, publishImages } from "./roles.ts";
import * as store from "./store.ts";

/**
 * Changes what is said of an image, never its bytes: its address, its hardware ids (none given: they stay) and the
 * publisher's own part, which is replaced. `updatedAt` stays, as the contract has it.
 *
 * @returns the image as it is now
 * @throws AppError `ota.target_not_found` | `ota.invalid_entity` | `uptane.not_canonical` | `uptane.too_large`
 * @see contracts/reposerver-keyserver.md section 3
 */
export async function editImage(
  ctx: ImageRepoCtx,
  repoId: string,
  edit: {
    filename: string;
    uri?: string | undefined;
    hardwareIds: string[];
    proprietaryCustom?: JsonObject | undefined;
  },
): Promise<store.ImageRow> {
  const proprietary = edit.proprietaryCustom === undefined ? null : acceptProprietary(edit.proprietaryCustom);
  return change(ctx, repoId, edit.filename, (image) => ({
    ...image,
    uri: edit.uri ?? image.uri,
    hardwareIds: edit.hardwareIds.length === 0 ? image.hardwareIds : edit.hardwareIds,
    proprietary: proprietary ?? image.proprietary,
  }));
}

/**
 * Adds members to the publisher's own part of an image, replacing those of the same name; nothing at all clears it.
 *
 * @throws AppError as {@link editImage}
 */
export async function mergeProprietary(
  ctx: ImageRepoCtx,
  repoId: string,
  { filename, members }: { filename: string; members: JsonObject },
): Promise<void> {
  const added = acceptProprietary(members);
  const clears = Object.keys(members).length === 0;
  await change(ctx, repoId, filename, (image) => ({
    ...image,
    proprietary: clears ? null : acceptProprietary({ ...image.proprietary, ...added }),
  }));
}

async function change(
  ctx: ImageRepoCtx,
  repoId: string,
  filename: string,
  edit: (image: store.ImageRow) => store.ImageRow,
): Promise<store.ImageRow> {
  const root = await currentRoot(ctx, repoId);
  return ctx.db.$transaction(async (tx) => {
    await lockRepo(tx, repoId);
    const before = await store.findImage(tx, ctx.namespaceId, filename);
    if (before === null) throw new AppError("ota.target_not_found", "There is no such image.");
    if (before.name === null || before.version === null) {
      throw new AppError(
        "ota.invalid_entity",
        "The image was published without name and version, so nothing can be said of it.",
      );
    }
    const after = edit(before);
    await store.putImage(tx, ctx.namespaceId, after);
    await publishImages(tx, { ctx, repoId, root });
    await publishEvent(tx, ctx.namespaceId, { topic: "image", subjectId: filename });
    const target = { kind: "image", id: filename } as const;
    await recordByMachine(tx, ctx, { action: "image.change", target, before: saidOf(before), after: saidOf(after) });
    return after;
  });
}

/** No values: an address may carry a secret, and the publisher's own part is nobody's business. */
function saidOf({ uri, hardwareIds, proprietary }: store.ImageRow): AuditFacts {
  return { hasUri: uri !== null, hardwareIds, proprietary: Object.keys(proprietary ?? {}) };
}
