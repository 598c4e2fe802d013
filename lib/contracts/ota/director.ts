import { z } from "zod";
import { HardwareId, MetadataName, TargetFilename } from "#lib/contracts/console/common.ts";
import { CorrelationId, OtaChecksum, OtaUuid } from "#lib/contracts/ota/common.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { canonicalText } from "#lib/uptane/canonical.ts";
import type { Json, JsonObject } from "#lib/uptane/json.ts";

/*
 * What the director takes and gives. Unknown fields are dropped (contracts/README.md section 5). What enters metadata is
 * ASCII or refused, because a device verifies names byte for byte.
 */

export const MAX_ECUS_PER_DEVICE = 100;
export const MAX_DEVICES_PER_CALL = 10_000;
const MAX_HARDWARE_IDS = 100;
const MAX_CUSTOM_BYTES = 16_384;

/** `__proto__` cannot be a member name of the metadata we build. */
const notInherited = (name: string) => name !== "__proto__";

export const DirectorEcuSerial = MetadataName(64).refine(notInherited, "can't be used");

export const RegisterEcus = z.object({
  primary_ecu_serial: z.string().max(64),
  ecus: z
    .array(
      z.object({
        ecu_serial: DirectorEcuSerial,
        hardware_identifier: HardwareId.refine(notInherited, "can't be used"),
        clientKey: z.object({
          keytype: z.string().max(40),
          keyval: z.object({ public: z.string().max(4_096) }),
        }),
      }),
    )
    .min(1, "must list the primary at least")
    .max(MAX_ECUS_PER_DEVICE)
    .refine((ecus) => new Set(ecus.map((ecu) => ecu.ecu_serial)).size === ecus.length, "must not list a serial twice"),
});
export type RegisterEcus = z.infer<typeof RegisterEcus>;

export const RegisterDevice = RegisterEcus.extend({ deviceId: OtaUuid });

const TargetLength = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What an ECU must run for the update to concern it. It enters no metadata, so it may be any name. */
export const SourceTarget = z.object({
  target: z.string().min(1).max(253),
  checksum: OtaChecksum,
  targetLength: TargetLength,
});

export const NewTarget = z.object({
  target: TargetFilename.refine(notInherited, "can't be used"),
  checksum: OtaChecksum,
  targetLength: TargetLength,
  uri: MetadataName(2_048).nullish(),
  userDefinedCustom: z
    .unknown()
    .refine(isSignable, "must be plain JSON of at most 16 KiB without fractions, which devices print differently")
    .optional(),
});
export type NewTarget = z.infer<typeof NewTarget>;

export const TargetUpdate = z.object({ from: SourceTarget.nullish(), to: NewTarget });
export type TargetUpdate = z.infer<typeof TargetUpdate>;

export const CreateMtu = z.object({
  targets: z
    .record(HardwareId, TargetUpdate)
    .refine((targets) => Object.keys(targets).length <= MAX_HARDWARE_IDS, `may name at most ${MAX_HARDWARE_IDS}`),
});

/** What is stored of a multi-target update. */
export const MtuTargets = z.record(z.string(), TargetUpdate);
export type MtuTargets = z.infer<typeof MtuTargets>;

const DeviceIds = z.array(OtaUuid).max(MAX_DEVICES_PER_CALL);

export const CreateAssignments = z.object({
  correlationId: CorrelationId,
  devices: DeviceIds,
  mtuId: OtaUuid,
  dryRun: z.boolean().nullish(),
});
export type CreateAssignments = z.infer<typeof CreateAssignments>;

/** @see contracts/director.md section 7 */
export const UpdateDevice = z.object({
  targets: CreateMtu.shape.targets,
  scheduledFor: z.iso.datetime({ offset: true }).pipe(z.coerce.date()).nullish(),
});
export const UpdateDevices = z.object({ targets: CreateMtu.shape.targets, devices: DeviceIds });

const MAX_OFFLINE_TARGETS = 1_000;

/** @see contracts/director.md section 1 */
export const SetOfflineUpdates = z.object({
  values: z
    .record(
      TargetFilename.refine(notInherited, "can't be used"),
      z.object({
        hashes: z.object({ sha256: OtaChecksum.shape.hash }),
        length: TargetLength,
        custom: z
          .record(z.string(), z.unknown())
          .refine(isSignable, "must be plain JSON of at most 16 KiB without fractions")
          .transform((custom) => custom as JsonObject) // what isSignable has printed
          .nullish(),
      }),
    )
    .refine((values) => Object.keys(values).length <= MAX_OFFLINE_TARGETS, `may name at most ${MAX_OFFLINE_TARGETS}`),
  expiresAt: z.iso.datetime({ offset: true }).pipe(z.coerce.date()).nullish(),
});
export type SetOfflineUpdates = z.output<typeof SetOfflineUpdates>;

const RemoteText = MetadataName(16_384);
const RemoteName = MetadataName(200).refine(notInherited, "can't be used");

export const SetRemoteSessions = z.object({
  remoteSessions: z.object({
    ssh: z.object({
      properties_version: RemoteText,
      authorized_keys: z.record(
        RemoteName,
        z.object({ pubkey: RemoteText, meta: z.object({ name: RemoteText }).nullish() }),
      ),
      ra_server_hosts: z.array(RemoteText).max(100),
      ra_server_ssh_pubkeys: z.array(RemoteText).max(100),
    }),
    version: RemoteName,
  }),
});
export type SetRemoteSessions = z.output<typeof SetRemoteSessions>;

export const SetRemoteCommands = z.object({
  remoteCommands: z.object({
    allowed_commands: z.partialRecord(
      z.enum(["reboot", "restart-service", "echo"]),
      z.object({ args: z.array(RemoteText).max(100) }),
    ),
    version: z.literal("v1alpha"),
  }),
});
export type SetRemoteCommands = z.output<typeof SetRemoteCommands>;

export const CancelAssignments = DeviceIds;
export const ListInstalledTargets = DeviceIds;
export const CountInstalled = z.object({ filepaths: z.array(z.string().max(4_096)).max(1_000) });

export type AssignmentRefusal = { code: string; description: string; cause: null; errorId: null };

/** `affected` has one entry an ECU, so a device may be there more than once. @see contracts/director.md section 3.2 */
export type AssignmentOutcome = {
  affected: string[];
  notAffected: Record<string, Record<string, AssignmentRefusal>>;
};

/** @see contracts/director.md section 3.3 */
export type QueueItem = {
  correlationId: string;
  inFlight: boolean;
  targets: Record<
    string,
    {
      image: { filepath: string; fileinfo: { hashes: { sha256: string }; length: number } };
      uri: string | null;
      createdAt: string;
    }
  >;
};

/** @see contracts/director.md section 7, "UpdateResponse" */
export type UpdateSummary = {
  updateId: string;
  status: string;
  createdAt: string;
  scheduledFor: string | null;
  completedAt: string | null;
  deviceResult: { resultCode: string; success: boolean; description: string | null } | null;
  packages: Record<string, string>;
};

export type UpdateDetail = UpdateSummary & {
  ecuResults: Record<
    string,
    { hardwareId: string; id: string; success: boolean; description: string; result: string | null }
  >;
};

/** Our own reading of a device: what it is served and what it has of it. */
export type DirectorDeviceState = {
  registeredAt: string | null;
  targetsVersion: number | null;
  targetsExpiresAt: string | null;
  /** When the device fetched the version in force; null while it has not. */
  fetchedAt: string | null;
  mayStillInstall: boolean;
  ecus: {
    serial: string;
    hardwareId: string;
    primary: boolean;
    keyType: string;
    installed: {
      filename: string;
      sha256: string;
      length: number;
      reportedAt: string | null;
      /** The signed manifest that said so last. */
      manifest: { id: string; sha256: string } | null;
    } | null;
    assigned: { filename: string; sha256: string; correlationId: string; inFlight: boolean } | null;
  }[];
  /** How its latest assignments ended, the last word of each ECU and correlation id. */
  ended: { ecuSerial: string; correlationId: string; outcome: "succeeded" | "failed" | "cancelled"; code: string }[];
};

/** jsonb refuses NUL, canonical form refuses fractions and half surrogate pairs. */
function isSignable(value: unknown): boolean {
  try {
    const text = canonicalText(value as Json); // parsed from JSON, so it is JSON; canonicalText refuses all else
    return text.length <= MAX_CUSTOM_BYTES && !text.includes("\\u0000");
  } catch (error) {
    if (!isAppError(error, "uptane.not_canonical")) throw error;
    return false;
  }
}
