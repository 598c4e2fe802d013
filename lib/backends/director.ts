import { z } from "zod";
import type { DirectorDeviceState, QueueItem } from "#lib/contracts/ota/director.ts";
import type { UpdatePlan } from "#lib/domain/eligibility.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { createDirectorReads, type DirectorReads } from "./director-reads.ts";
import type { Spoken } from "./generation.ts";
import { type BackendCall, type BackendClient, parseReply, refusal } from "./http.ts";

export type AssignmentRefusal = { code: string; description: string };
/** By device, then by ECU. */
export type AssignmentAnswer = {
  affected: string[];
  notAffected: Record<string, Record<string, AssignmentRefusal>>;
};

export type DirectorBackend = DirectorReads & {
  /** @returns the id of the multi-target update. @throws AppError `update.invalid` when the director refuses the targets */
  createMtu(call: BackendCall, plan: UpdatePlan): Promise<string>;
  /** Both reply forms are understood; each affected device is listed once. */
  assign(
    call: BackendCall,
    assignment: { correlationId: string; devices: readonly string[]; mtuId: string },
  ): Promise<AssignmentAnswer>;
  /**
   * Takes assignments of this correlation id back, fetched ones too. The contract knows no such choice: a director that is no Gatehouse
   * takes back all that these devices hold, and one of generation [A] nothing that is in flight.
   *
   * @returns the devices that held one, each once
   */
  cancel(call: BackendCall, of: { devices: readonly string[]; correlationId: string }): Promise<string[]>;
  listAssignments(call: BackendCall, deviceUuid: string): Promise<QueueItem[]>;
  /**
   * The manifest's bytes as the device sent them.
   *
   * @throws AppError `device.not_found` when there is no such manifest | `backend.unsupported` by a director that is no Gatehouse
   */
  getManifest(call: BackendCall, of: { deviceUuid: string; sha256: string }): Promise<Buffer>;
  /** null from a director that has no such reading (one that is no Gatehouse). */
  getState(call: BackendCall, deviceUuid: string): Promise<DirectorDeviceState | null>;
  /** For a device that its registry has lost. Only a Gatehouse can be told: the contract has registries do it among themselves. */
  forgetDevice(call: BackendCall, deviceUuid: string): Promise<void>;
};

const FORCED_AT_ONCE = 8;

const Refusal = z.object({ code: z.string(), description: z.string() });
const Answer = z.union([
  z.object({
    affected: z.array(z.string()),
    notAffected: z.record(z.string(), z.record(z.string(), Refusal)).default({}),
  }),
  z.array(z.string()).transform((affected) => ({ affected, notAffected: {} })),
]);

const Queue = z.array(
  z.object({
    correlationId: z.string(),
    inFlight: z.boolean(),
    targets: z.record(
      z.string(),
      z.object({
        image: z.object({
          filepath: z.string(),
          fileinfo: z.object({ hashes: z.object({ sha256: z.string() }), length: z.number() }),
        }),
        uri: z
          .string()
          .nullish()
          .transform((uri) => uri ?? null),
        createdAt: z.string().default(""),
      }),
    ),
  }),
);

const EcuImage = z.object({ filename: z.string(), sha256: z.string() });
const State = z.object({
  registeredAt: z.string().nullable(),
  targetsVersion: z.number().int().nullable(),
  targetsExpiresAt: z.string().nullable(),
  fetchedAt: z.string().nullable(),
  mayStillInstall: z.boolean(),
  ecus: z.array(
    z.object({
      serial: z.string(),
      hardwareId: z.string(),
      primary: z.boolean(),
      keyType: z.string(),
      installed: EcuImage.extend({
        length: z.number(),
        reportedAt: z.string().nullable(),
        manifest: z.object({ id: z.string(), sha256: z.string() }).nullable().default(null),
      }).nullable(),
      assigned: EcuImage.extend({ correlationId: z.string(), inFlight: z.boolean() }).nullable(),
    }),
  ),
  ended: z
    .array(
      z.object({
        ecuSerial: z.string(),
        correlationId: z.string(),
        outcome: z.enum(["succeeded", "failed", "cancelled"]),
        code: z.string(),
      }),
    )
    .default([]),
});

export function createDirectorBackend(
  client: BackendClient,
  find: (call: BackendCall) => Promise<Spoken>,
): DirectorBackend {
  const extension = (uuid: string) => `/api/v1/admin/devices/${encodeURIComponent(uuid)}/gatehouse`;
  const queue = (uuid: string) => `/api/v1/assignments/${encodeURIComponent(uuid)}`;
  const listAssignments: DirectorBackend["listAssignments"] = async (call, deviceUuid) =>
    parseReply(client, await client.send(call, { method: "GET", path: queue(deviceUuid) }), Queue);
  async function forceCancel(call: BackendCall, of: { uuid: string; correlationId: string }): Promise<string | null> {
    const held = await listAssignments(call, of.uuid);
    if (!held.some(({ correlationId }) => correlationId === of.correlationId)) return null;
    const request = { method: "PATCH", path: queue(of.uuid), headers: { "x-trx-force": "true" } } as const;
    const { status } = await client.send(call, { ...request, accept: [404, 409] });
    return status < 300 ? of.uuid : null;
  }
  return {
    ...createDirectorReads(client),
    async createMtu(call, plan) {
      const json = { targets: mapValues(plan, ({ from, to }) => ({ from: from && toTarget(from), to: toTarget(to) })) };
      const reply = await client
        .send(call, { method: "POST", path: "/api/v1/multi_target_updates", json })
        .catch(asInvalid);
      return parseReply(client, reply, z.guid());
    },
    async assign(call, assignment) {
      const request = { method: "POST", path: "/api/v1/assignments", json: assignment, accept: [400] } as const;
      const reply = await client.send(call, request);
      // "Nothing affected, and why" is a 400 too, with a body that is no error.
      const answer = reply.status === 400 ? Answer.safeParse(tryParse(reply.body)) : null;
      if (answer !== null && !answer.success) asInvalid(refusal(client.name, reply));
      const { affected, notAffected } = answer?.data ?? parseReply(client, reply, Answer);
      return { affected: [...new Set(affected)], notAffected };
    },
    async cancel(call, { devices, correlationId }) {
      if (devices.length === 0) return [];
      const headers = { "x-trx-force": "true", "x-gatehouse-correlation-id": correlationId };
      const reply = await client.send(call, {
        method: "PATCH",
        path: "/api/v1/assignments",
        json: devices,
        headers,
      });
      const dropped = new Set(parseReply(client, reply, z.array(z.string())));
      const { generation, isGatehouse } = await find(call);
      if (isGatehouse || generation !== "B") return [...dropped];
      // This director takes back what is in flight only device by device, and all that the device holds.
      const left = devices.filter((uuid) => !dropped.has(uuid));
      for (let from = 0; from < left.length; from += FORCED_AT_ONCE) {
        const forced = await Promise.all(
          left.slice(from, from + FORCED_AT_ONCE).map((uuid) => forceCancel(call, { uuid, correlationId })),
        );
        for (const uuid of forced) if (uuid !== null) dropped.add(uuid);
      }
      return [...dropped];
    },
    listAssignments,
    async getManifest(call, { deviceUuid, sha256 }) {
      if (!(await find(call)).isGatehouse)
        throw new AppError("backend.unsupported", "Signed manifests stay with this director.");
      const path = `${extension(deviceUuid)}/manifests/${encodeURIComponent(sha256)}`;
      const reply = await client.send(call, { method: "GET", path, accept: [404] });
      if (reply.status === 404)
        throw new AppError("device.not_found", "This device sent no such manifest, or it is no longer kept.");
      return reply.body;
    },
    async getState(call, deviceUuid) {
      if (!(await find(call)).isGatehouse) return null;
      const reply = await client.send(call, {
        method: "GET",
        path: `${extension(deviceUuid)}/state`,
        accept: [403, 404],
      });
      return reply.status === 200 ? parseReply(client, reply, State) : null;
    },
    async forgetDevice(call, deviceUuid) {
      if (!(await find(call)).isGatehouse) return;
      await client.send(call, { method: "DELETE", path: extension(deviceUuid), accept: [403, 404] });
    },
  };
}

function toTarget(image: { filename: string; sha256: string; length: number }) {
  return {
    target: image.filename,
    checksum: { method: "sha256", hash: image.sha256 },
    targetLength: image.length,
  };
}

function mapValues<V, W>(record: Readonly<Record<string, V>>, change: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function tryParse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return null; // plain text is no answer of either form
  }
}

function asInvalid(error: unknown): never {
  if (isAppError(error, "backend.refused") && error.context.status === 400)
    throw new AppError("update.invalid", error.message, { cause: error });
  throw error;
}
