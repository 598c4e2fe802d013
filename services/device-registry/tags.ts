import type { Ctx } from "#lib/ctx.ts";
import { isUniqueViolation } from "#lib/db/client.ts";
import {
  parseStoredExpression,
  printGroupExpression,
  renameTagInText,
  tagsOf,
  withoutTag,
} from "#lib/domain/group-expression.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { WHOLE_FLEET } from "./groups.ts";
import { listSmartGroups, lockGroups, recomputeMembers, type SmartGroup, updateExpressions } from "./store-groups.ts";
import * as store from "./store-tags.ts";
import type { TagTable } from "./tag-table.ts";

/**
 * The tags in use; one is not delible while some smart group rests on it alone.
 *
 * @see contracts/device-registry.md section 6
 */
export async function listTags(ctx: Ctx): Promise<{ tagId: string; isDelible: boolean }[]> {
  const [tagIds, groups] = await Promise.all([
    store.listTagIds(ctx.db, ctx.namespaceId),
    listSmartGroups(ctx.db, ctx.namespaceId),
  ]);
  const needed = new Set(groups.flatMap(soleTag));
  return tagIds.map((tagId) => ({ tagId, isDelible: !needed.has(tagId) }));
}

/** The tag without which nothing of the expression would be left. */
function soleTag({ expression }: SmartGroup): string[] {
  const parsed = parseStoredExpression(expression);
  return [...tagsOf(parsed)].filter((tagId) => withoutTag(parsed, tagId) === null);
}

/** Replaces all tags of each listed device, skips devices that are not known, and computes the smart groups that look at tags anew. */
export async function importTags(ctx: Ctx, table: TagTable): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await lockGroups(tx, ctx.namespaceId);
    const deviceUuids = await store.replaceTags(tx, ctx.namespaceId, table);
    const groups = (await listSmartGroups(tx, ctx.namespaceId)).filter((group) => mentions(group).size > 0);
    await recomputeMembers(tx, ctx.namespaceId, { groups, deviceUuids });
  }, WHOLE_FLEET);
}

/** Changes a tag that the device has; one that it does not have is not added, as the contract says. */
export async function setTag(
  ctx: Ctx,
  deviceUuid: string,
  { tagId, tagValue }: { tagId: string; tagValue: string },
): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await lockGroups(tx, ctx.namespaceId);
    const changed = await store.updateTag(tx, { namespaceId: ctx.namespaceId, deviceUuid, tagId }, tagValue);
    if (!changed) return;
    const groups = (await listSmartGroups(tx, ctx.namespaceId)).filter((group) => mentions(group).has(tagId));
    await recomputeMembers(tx, ctx.namespaceId, { groups, deviceUuids: [deviceUuid] });
  });
}

/**
 * Renames a tag on all devices and in all expressions. Groups that looked for the new name before find devices now.
 *
 * @throws AppError `ota.conflicting_entity` when a device has a tag of the new name besides
 */
export async function renameTag(ctx: Ctx, tagId: string, newTagId: string): Promise<void> {
  if (tagId === newTagId) return;
  try {
    await ctx.db.$transaction(async (tx) => {
      await lockGroups(tx, ctx.namespaceId);
      await store.renameTag(tx, ctx.namespaceId, { from: tagId, to: newTagId });
      const groups = await listSmartGroups(tx, ctx.namespaceId);
      const rewritten = groups
        .filter((group) => mentions(group).has(tagId))
        .map(({ id, expression }) => ({ id, expression: renameTagInText(expression, tagId, newTagId) }));
      await updateExpressions(tx, ctx.namespaceId, rewritten);
      const touched = await listSmartGroups(tx, ctx.namespaceId);
      const looking = touched.filter((group) => mentions(group).has(newTagId));
      await recomputeMembers(tx, ctx.namespaceId, { groups: looking, deviceUuids: null });
    }, WHOLE_FLEET);
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    throw new AppError("ota.conflicting_entity", `Some device has both ${tagId} and ${newTagId}.`, { cause });
  }
}

/** Takes a tag off all devices and out of all expressions. @throws AppError `ota.cannot_remove_device_tag` */
export async function removeTag(ctx: Ctx, tagId: string): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await lockGroups(tx, ctx.namespaceId);
    const groups = (await listSmartGroups(tx, ctx.namespaceId))
      .filter((group) => mentions(group).has(tagId))
      .map((group) => ({ id: group.id, expression: expressionWithout(group, tagId) }));
    await store.deleteTag(tx, ctx.namespaceId, tagId);
    await updateExpressions(tx, ctx.namespaceId, groups);
    await recomputeMembers(tx, ctx.namespaceId, { groups, deviceUuids: null });
  }, WHOLE_FLEET);
}

function expressionWithout({ id, expression }: SmartGroup, tagId: string): string {
  const left = withoutTag(parseStoredExpression(expression), tagId);
  if (left !== null) return printGroupExpression(left);
  throw new AppError("ota.cannot_remove_device_tag", `A smart group rests on the tag ${tagId} alone.`, {
    context: { groupId: id },
  });
}

function mentions({ expression }: SmartGroup): Set<string> {
  return tagsOf(parseStoredExpression(expression));
}
