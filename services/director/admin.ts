import { createHash } from "node:crypto";
import { type OtaPage, otaInstant } from "#lib/contracts/ota/common.ts";
import type { DirectorDeviceState } from "#lib/contracts/ota/director.ts";
import type { Ctx } from "#lib/ctx.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { deleteDevice } from "./service.ts";
import * as store from "./store-admin.ts";
import { listAssignments, listEnded } from "./store-assignments.ts";
import { type EcuRow, findDevice, listEcus, markOutdated } from "./store-devices.ts";
import { findManifestBytes } from "./store-manifests.ts";

/* Reads of the director's admin API: contracts/director.md section 2, and two of our own. */

type Window = { offset: number; limit: number };

export async function listDevices(ctx: Ctx, window: Window): Promise<OtaPage<string>> {
  return { ...(await store.listDeviceIds(ctx.db, ctx.namespaceId, window)), ...window };
}

export async function listDevicesByPrimary(
  ctx: Ctx,
  of: Window & { hardwareId: string },
): Promise<OtaPage<{ id: string; primaryEcu: string; createdAt: string }>> {
  const { values, total } = await store.listByPrimary(ctx.db, ctx.namespaceId, of);
  return {
    values: values.map((row) => ({
      id: row.uuid,
      primaryEcu: row.primarySerial,
      createdAt: otaInstant(row.createdAt),
    })),
    total,
    offset: of.offset,
    limit: of.limit,
  };
}

export async function listHardwareIds(ctx: Ctx, window: Window): Promise<OtaPage<string>> {
  return { ...(await store.listHardwareIds(ctx.db, ctx.namespaceId, window)), ...window };
}

export type ListedEcuOfDevice = {
  ecuSerial: string;
  deviceId: string;
  namespace: string;
  hardwareId: string;
  publicKey: { keytype: string; keyval: { public: string } };
  installedTarget: { uuid: string } | null;
  primary: boolean;
};

/** Devices with all their ECUs, oldest first. Here, and nowhere else, `offset` counts pages. */
export async function listEcusByDevice(
  ctx: Ctx,
  { offset, limit }: Window,
): Promise<OtaPage<Record<string, ListedEcuOfDevice[]>>> {
  const { values: uuids, total } = await store.listDeviceIds(ctx.db, ctx.namespaceId, {
    offset: offset * limit,
    limit,
  });
  const ecus = Map.groupBy(await listEcus(ctx.db, ctx.namespaceId, uuids), ({ deviceUuid }) => deviceUuid);
  const values = uuids.map((uuid) => ({
    [uuid]: (ecus.get(uuid) ?? []).map((ecu) => ({
      ecuSerial: ecu.serial,
      deviceId: uuid,
      namespace: ctx.namespaceId,
      hardwareId: ecu.hardwareId,
      publicKey: { keytype: ecu.keyType, keyval: { public: ecu.publicValue } },
      installedTarget: ecu.installed === null ? null : { uuid: imageUuid(ctx.namespaceId, ecu.installed) },
      primary: ecu.primary,
    })),
  }));
  return { values, total, offset, limit };
}

/** The original keeps a row for each image that was ever reported; ours has none, so its id is made of what it says. */
function imageUuid(namespaceId: string, { filename, sha256 }: { filename: string; sha256: string }): string {
  const hex = createHash("sha256").update(`${namespaceId}\0${filename}\0${sha256}`).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}

export type EcuImage = {
  id: string;
  hardwareId: string;
  primary: boolean;
  image: { filepath: string; size: number; hash: { sha256: string } };
};

/** ECUs that have reported what they run. @throws AppError `ota.device_missing_primary_ecu` */
export async function getDevice(ctx: Ctx, uuid: string): Promise<EcuImage[]> {
  const ecus = await requireEcus(ctx, uuid);
  return ecus.flatMap(({ serial, hardwareId, primary, installed }) =>
    installed === null
      ? []
      : [
          {
            id: serial,
            hardwareId,
            primary,
            image: { filepath: installed.filename, size: installed.length, hash: { sha256: installed.sha256 } },
          },
        ],
  );
}

export type InstalledTarget = {
  ecuId: string;
  checksum: { method: "sha256"; hash: string };
  filename: string;
  hardwareId: string;
  isPrimary: boolean;
};

/** Every id that was asked for has an entry. */
export async function listInstalledTargets(
  ctx: Ctx,
  uuids: readonly string[],
): Promise<Record<string, InstalledTarget[]>> {
  const ecus = await listEcus(ctx.db, ctx.namespaceId, uuids);
  const byDevice = Map.groupBy(ecus, ({ deviceUuid }) => deviceUuid);
  return Object.fromEntries(uuids.map((uuid) => [uuid, (byDevice.get(uuid) ?? []).flatMap(toInstalledTarget)]));
}

export async function countInstalled(ctx: Ctx, filenames: readonly string[]): Promise<Record<string, number>> {
  return store.countInstalled(ctx.db, ctx.namespaceId, filenames);
}

/** @throws AppError `ota.missing_entity` */
export async function getPublicKey(
  ctx: Ctx,
  of: { uuid: string; serial: string },
): Promise<{ keytype: string; keyval: { public: string } }> {
  const ecus = await listEcus(ctx.db, ctx.namespaceId, [of.uuid]);
  const ecu = ecus.find(({ serial }) => serial === of.serial);
  if (ecu === undefined) throw new AppError("ota.missing_entity", "Missing entity: Ecu");
  return { keytype: ecu.keyType, keyval: { public: ecu.publicValue } };
}

/** The next fetch makes the device's metadata anew. @throws AppError `ota.missing_entity` */
export async function outdateDevice(ctx: Ctx, uuid: string): Promise<void> {
  if (await markOutdated(ctx.db, ctx.namespaceId, [uuid])) return;
  throw new AppError("ota.missing_entity", "Missing entity: Device");
}

/** A manifest exactly as it was received. @throws AppError `ota.missing_entity` */
export async function getManifest(ctx: Ctx, of: { uuid: string; sha256: string }): Promise<Buffer> {
  const bytes = await findManifestBytes(ctx.db, {
    namespaceId: ctx.namespaceId,
    deviceUuid: of.uuid,
    sha256: of.sha256,
  });
  if (bytes === null) throw new AppError("ota.missing_entity", "Missing entity: Manifest");
  return Buffer.from(bytes);
}

/** @throws AppError `ota.missing_entity` */
export async function getState(ctx: Ctx, uuid: string): Promise<DirectorDeviceState> {
  const state = await store.findState(ctx.db, ctx.namespaceId, uuid);
  if (state === null) throw new AppError("ota.missing_entity", "Missing entity: Device");
  const ecus = await listEcus(ctx.db, ctx.namespaceId, [uuid]);
  const open = await listAssignments(ctx.db, ctx.namespaceId, [uuid]);
  const manifests = await store.listInstalledManifests(ctx.db, ctx.namespaceId, uuid);
  const ended = await listEnded(ctx.db, { namespaceId: ctx.namespaceId, deviceUuid: uuid });
  const fetched = state.targetsVersion !== null && state.targetsFetchedVersion === state.targetsVersion;
  return {
    registeredAt: state.registeredAt === null ? null : otaInstant(state.registeredAt),
    targetsVersion: state.targetsVersion,
    targetsExpiresAt: state.targetsExpiresAt === null ? null : otaInstant(state.targetsExpiresAt),
    fetchedAt: fetched && state.targetsFetchedAt !== null ? otaInstant(state.targetsFetchedAt) : null,
    mayStillInstall: state.mayStillInstall,
    ecus: ecus.map((ecu) => {
      const assigned = open.find(({ ecuSerial }) => ecuSerial === ecu.serial);
      return {
        serial: ecu.serial,
        hardwareId: ecu.hardwareId,
        primary: ecu.primary,
        keyType: ecu.keyType,
        installed:
          ecu.installed === null
            ? null
            : {
                ...ecu.installed,
                reportedAt: ecu.installedAt === null ? null : otaInstant(ecu.installedAt),
                manifest: manifests.get(ecu.serial) ?? null,
              },
        assigned:
          assigned === undefined
            ? null
            : {
                filename: assigned.filename,
                sha256: assigned.sha256,
                correlationId: assigned.correlationId,
                inFlight: assigned.inFlight,
              },
      };
    }),
    ended: ended.map(({ ecuSerial, correlationId, result, ...how }) => ({
      ecuSerial,
      correlationId,
      outcome: outcomeOf(how),
      code: result ?? "",
    })),
  };
}

/** One that a person took back counts as successful, in the database as in the contract. */
function outcomeOf(how: { successful: boolean; canceled: boolean }): DirectorDeviceState["ended"][number]["outcome"] {
  if (!how.successful) return "failed";
  return how.canceled ? "cancelled" : "succeeded";
}

/** {@link deleteDevice} for a registry that is somebody else's, which has lost the device: repeating it changes nothing. */
export async function forgetDevice(ctx: Ctx, uuid: string): Promise<void> {
  await ctx.db.$transaction((tx) => deleteDevice(tx, ctx, uuid));
}

async function requireEcus(ctx: Ctx, uuid: string): Promise<EcuRow[]> {
  const device = await findDevice(ctx.db, ctx.namespaceId, uuid);
  if (device === null || device.deletedAt !== null || device.primarySerial === null) {
    throw new AppError("ota.device_missing_primary_ecu", "The device has not registered its ECUs.");
  }
  return listEcus(ctx.db, ctx.namespaceId, [uuid]);
}

function toInstalledTarget({ serial, hardwareId, primary, installed }: EcuRow): InstalledTarget[] {
  if (installed === null) return [];
  return [
    {
      ecuId: serial,
      checksum: { method: "sha256", hash: installed.sha256 },
      filename: installed.filename,
      hardwareId,
      isPrimary: primary,
    },
  ];
}
