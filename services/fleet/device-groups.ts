import { type Actor, requirePermission } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type {
  DeviceGroup,
  DeviceGroupList,
  ListDeviceGroups,
  NameDeviceGroups,
} from "#lib/contracts/console/device-groups.ts";

const LONGEST_NAME = 100;

/** What to choose a group from. @throws AppError `auth.forbidden` | `backend.*` (the registry) */
export async function listDeviceGroups(
  ctx: BackendCtx,
  actor: Actor,
  query: ListDeviceGroups,
): Promise<DeviceGroupList> {
  requirePermission(actor, "device.read");
  const nameContains = query.q?.trim().slice(0, LONGEST_NAME) || undefined;
  const { groups, isComplete } = await ctx.backends.registry.listStaticGroups(ctx, {
    nameContains,
    limit: query.limit,
  });
  return { data: groups, isComplete };
}

/** The names of those of these groups that there still are. @throws AppError `auth.forbidden` | `backend.*` (the registry) */
export async function nameDeviceGroups(
  ctx: BackendCtx,
  actor: Actor,
  { ids }: NameDeviceGroups,
): Promise<{ data: DeviceGroup[] }> {
  requirePermission(actor, "device.read");
  const asked = [...new Set(ids)].map(async (id) => {
    const group = await ctx.backends.registry.findStaticGroup(ctx, id);
    return group === null ? [] : [{ id, name: group.name }];
  });
  return { data: (await Promise.all(asked)).flat() };
}
