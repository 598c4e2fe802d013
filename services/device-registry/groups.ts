import { randomUUID } from "node:crypto";
import { otaInstant } from "#lib/contracts/ota/common.ts";
import { type DeviceGroup, type GroupType, MAX_SMART_GROUPS } from "#lib/contracts/ota/device-groups.ts";
import type { Ctx } from "#lib/ctx.ts";
import { isUniqueViolation, type Tx } from "#lib/db/client.ts";
import { parseGroupExpression } from "#lib/domain/group-expression.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { missingDevice } from "./devices.ts";
import { lockDevice } from "./store-devices.ts";
import * as store from "./store-groups.ts";
import * as members from "./store-members.ts";

/** A group over a whole fleet of 100,000 devices takes seconds, not milliseconds. */
export const WHOLE_FLEET = { timeout: 120_000 };

/**
 * Makes a group; a smart one has its members at once.
 *
 * @returns its id
 * @throws AppError `ota.invalid_group_expression_for_group_type` | `ota.invalid_entity` (an expression that is none, or too many smart
 * groups) | `ota.conflicting_entity` (the name is taken)
 * @see contracts/device-registry.md section 5
 */
export async function addGroup(
  ctx: Ctx,
  given: { name: string; groupType: GroupType; expression?: string | null | undefined },
): Promise<string> {
  const expression = given.expression ?? null;
  if ((given.groupType === "dynamic") !== (expression !== null)) {
    const message = "A static group has no expression, a dynamic one has one.";
    throw new AppError("ota.invalid_group_expression_for_group_type", message);
  }
  if (expression !== null) assertExpression(expression);
  const id = randomUUID();
  await refuseTaken("ota.conflicting_entity", () =>
    ctx.db.$transaction(async (tx) => {
      await store.lockGroups(tx, ctx.namespaceId);
      await insertGroup(tx, ctx, { id, name: given.name, expression });
      if (expression === null) return;
      const smart = await store.listSmartGroups(tx, ctx.namespaceId);
      if (smart.length > MAX_SMART_GROUPS)
        throw new AppError("ota.invalid_entity", `There may be ${MAX_SMART_GROUPS} smart groups at most.`);
      await store.recomputeMembers(tx, ctx.namespaceId, { groups: [{ id, expression }], deviceUuids: null });
    }, WHOLE_FLEET),
  );
  return id;
}

/**
 * Makes a static group of those devices that are known; the other ids are skipped.
 *
 * @throws AppError `ota.conflicting_entity`
 */
export async function addGroupOf(ctx: Ctx, name: string, oemIds: readonly string[]): Promise<string> {
  const id = randomUUID();
  await refuseTaken("ota.conflicting_entity", () =>
    ctx.db.$transaction(async (tx) => {
      await store.lockGroups(tx, ctx.namespaceId);
      await insertGroup(tx, ctx, { id, name, expression: null });
      await members.insertMembersByOemId(tx, { namespaceId: ctx.namespaceId, groupId: id }, oemIds);
    }, WHOLE_FLEET),
  );
  return id;
}

async function insertGroup(
  tx: Tx,
  ctx: Ctx,
  group: { id: string; name: string; expression: string | null },
): Promise<void> {
  const type = group.expression === null ? "static" : "dynamic";
  await store.insertGroup(tx, { ...group, namespaceId: ctx.namespaceId, type, createdAt: ctx.clock() });
}

/** How many devices an expression matches now. @throws AppError `ota.invalid_group_expression` */
export async function countMatching(ctx: Ctx, text: string): Promise<number> {
  const parsed = parseGroupExpression(text);
  if (!parsed.ok) throw new AppError("ota.invalid_group_expression", parsed.message);
  return store.countMatching(ctx.db, ctx.namespaceId, parsed.expression);
}

/** @throws AppError `ota.conflicting_device_group_name` */
export async function renameGroup(ctx: Ctx, id: string, name: string): Promise<void> {
  const of = { namespaceId: ctx.namespaceId, id };
  await refuseTaken("ota.conflicting_device_group_name", () =>
    ctx.db.$transaction((tx) => store.renameGroup(tx, of, name)),
  );
}

export async function removeGroup(ctx: Ctx, id: string): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    await store.lockGroups(tx, ctx.namespaceId);
    await store.deleteGroup(tx, { namespaceId: ctx.namespaceId, id });
  }, WHOLE_FLEET);
}

/**
 * Puts a device into a static group.
 *
 * @throws AppError `ota.missing_entity` (no such group in this namespace) | `device.not_found` | `ota.conflicting_entity` (it is a member) |
 * `ota.cannot_add_device_to_dynamic_group`
 */
export async function addMember(ctx: Ctx, member: { groupId: string; deviceUuid: string }): Promise<void> {
  await refuseTaken("ota.conflicting_entity", () => ctx.db.$transaction((tx) => insertMember(tx, ctx, member)));
}

async function insertMember(tx: Tx, ctx: Ctx, member: { groupId: string; deviceUuid: string }): Promise<void> {
  await store.shareGroups(tx, ctx.namespaceId);
  const group = await store.findGroup(tx, member.groupId);
  if (group === null || group.namespaceId !== ctx.namespaceId) throw missingGroup();
  if (group.type === "dynamic")
    throw new AppError("ota.cannot_add_device_to_dynamic_group", "A smart group has the members of its expression.");
  if (!(await lockDevice(tx, ctx.namespaceId, member.deviceUuid))) throw missingDevice();
  await members.insertMember(tx, member);
}

/** @throws AppError `ota.missing_entity` (it is no member) | `ota.cannot_remove_device_from_dynamic_group` */
export async function removeMember(ctx: Ctx, group: store.GroupRow, deviceUuid: string): Promise<void> {
  if (group.type === "dynamic")
    throw new AppError(
      "ota.cannot_remove_device_from_dynamic_group",
      "A smart group has the members of its expression.",
    );
  const removed = await ctx.db.$transaction((tx) => members.deleteMember(tx, { groupId: group.id, deviceUuid }));
  if (!removed) throw new AppError("ota.missing_entity", "Missing entity: GroupMember");
}

export async function hibernateGroup(ctx: Ctx, groupId: string, hibernated: boolean): Promise<void> {
  const of = { namespaceId: ctx.namespaceId, groupId };
  await ctx.db.$transaction((tx) => members.hibernateMembers(tx, of, hibernated), WHOLE_FLEET);
}

export function missingGroup(): AppError {
  return new AppError("ota.missing_entity", "Missing entity: Group");
}

/** @see contracts/device-registry.md section 1.3 */
export function toGroup(row: store.GroupRow): DeviceGroup {
  return {
    id: row.id,
    groupName: row.name,
    namespace: row.namespaceId,
    createdAt: otaInstant(row.createdAt),
    groupType: row.type,
    expression: row.expression,
  };
}

function assertExpression(text: string): void {
  const parsed = parseGroupExpression(text);
  if (!parsed.ok) throw new AppError("ota.invalid_entity", `expression: ${parsed.message}`);
}

async function refuseTaken<T>(
  code: "ota.conflicting_entity" | "ota.conflicting_device_group_name",
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    throw new AppError(code, "Entity already exists.", { cause });
  }
}
