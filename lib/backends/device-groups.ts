import { z } from "zod";
import { type BackendCall, type BackendClient, parseReply } from "./http.ts";

export type NamedGroup = { id: string; name: string };

/** The device registry's static groups: those that devices can be put into. */
export type DeviceGroups = {
  /** The first by name of those whose name contains a text, and whether these are all. */
  listStaticGroups(
    call: BackendCall,
    wanted: { nameContains?: string | undefined; limit: number },
  ): Promise<{ groups: NamedGroup[]; isComplete: boolean }>;
  /** Those of exactly this name, of the first thousand that contain it; a registry of the contract has one at most. */
  listStaticGroupsNamed(call: BackendCall, name: string): Promise<NamedGroup[]>;
  /** null when there is no such group, or its members come from an expression. */
  findStaticGroup(call: BackendCall, groupId: string): Promise<{ name: string } | null>;
  /** Being a member already is done. @throws AppError `backend.refused` when the group is gone or takes no members */
  addToGroup(call: BackendCall, membership: { groupId: string; uuid: string }): Promise<void>;
};

const Group = z.object({ id: z.uuid(), groupName: z.string(), groupType: z.string() });
const GroupPage = z.object({ values: z.array(Group), total: z.number().int() });
const AT_ONCE = 100;
/** A registry that claims to have more is not followed further. */
const AT_MOST = 1_000;

/** @see docs/contracts/device-registry.md section 5 */
export function createDeviceGroups(client: BackendClient): DeviceGroups {
  const address = (groupId: string) => `/api/v1/device_groups/${encodeURIComponent(groupId)}`;
  return {
    async listStaticGroups(call, { nameContains, limit }) {
      const { groups, isComplete } = await readStaticGroups(client, call, { nameContains, atMost: limit + 1 });
      return { groups: groups.slice(0, limit), isComplete: isComplete && groups.length <= limit };
    },
    async listStaticGroupsNamed(call, name) {
      const { groups } = await readStaticGroups(client, call, { nameContains: name, atMost: AT_MOST });
      return groups.filter((group) => group.name === name);
    },
    async findStaticGroup(call, groupId) {
      const path = address(groupId);
      const reply = await client.send(call, { method: "GET", path, accept: [404] });
      if (reply.status === 404) return null;
      const found = parseReply(client, reply, Group);
      return found.groupType === "static" ? { name: found.groupName } : null;
    },
    async addToGroup(call, { groupId, uuid }) {
      const path = `${address(groupId)}/devices/${encodeURIComponent(uuid)}`;
      await client.send(call, { method: "POST", path, accept: [409] });
    },
  };
}

/** The smart ones can't be left out by asking, so pages are read until there are enough others. */
async function readStaticGroups(
  client: BackendClient,
  call: BackendCall,
  wanted: { nameContains: string | undefined; atMost: number },
): Promise<{ groups: NamedGroup[]; isComplete: boolean }> {
  // By id: a group may stand on two pages when another goes meanwhile.
  const found = new Map<string, NamedGroup>();
  const named = wanted.nameContains === undefined ? "" : `&nameContains=${encodeURIComponent(wanted.nameContains)}`;
  let offset = 0;
  while (offset < AT_MOST && found.size < wanted.atMost) {
    const path = `/api/v1/device_groups?sortBy=name&offset=${offset}&limit=${AT_ONCE}${named}`;
    const page = parseReply(client, await client.send(call, { method: "GET", path }), GroupPage);
    for (const { id, groupName, groupType } of page.values)
      if (groupType === "static") found.set(id, { id, name: groupName });
    offset += page.values.length;
    if (offset >= page.total || page.values.length === 0) return { groups: [...found.values()], isComplete: true };
  }
  return { groups: [...found.values()], isComplete: false };
}
