import { z } from "zod";
import { Uuid } from "./common.ts";
import { csv } from "./devices.ts";
import { endpoint } from "./endpoint.ts";

/** A group of the device registry that devices can be put into. */
export const DeviceGroup = z.object({ id: Uuid, name: z.string() });
export type DeviceGroup = z.infer<typeof DeviceGroup>;

export const DeviceGroupList = z.object({
  data: z.array(DeviceGroup),
  /** False when more match: ask for more of the name. */
  isComplete: z.boolean(),
});
export type DeviceGroupList = z.infer<typeof DeviceGroupList>;

export const ListDeviceGroups = z.strictObject({
  /** Part of the name, in any case. */
  q: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});
export type ListDeviceGroups = z.infer<typeof ListDeviceGroups>;

export const listDeviceGroups = endpoint({
  method: "GET",
  path: "/api/v1/device-groups",
  permission: "device.read",
  summary: "Groups that devices can be put into, by name",
  query: ListDeviceGroups,
  reply: DeviceGroupList,
});

export const NameDeviceGroups = z.strictObject({ ids: csv(Uuid) });
export type NameDeviceGroups = z.infer<typeof NameDeviceGroups>;

export const nameDeviceGroups = endpoint({
  method: "GET",
  path: "/api/v1/device-groups/names",
  permission: "device.read",
  summary: "What groups are called, by id; those that are gone are left out",
  query: NameDeviceGroups,
  reply: z.object({ data: z.array(DeviceGroup) }),
});
