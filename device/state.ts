import { join } from "node:path";
import { z } from "zod";
import { findFile, makeFolder, writeAtomically } from "#device/files.ts";
import { AppError } from "#lib/errors/app-error.ts";

const Result = z.object({ success: z.boolean(), code: z.string(), description: z.string() });
const Item = z.object({ ecu: z.string(), result: Result });

const Report = z.object({
  correlationId: z.string(),
  result: Result,
  items: z.array(Item),
  rawReport: z.string(),
});

const QueuedEvent = z.object({
  id: z.string(),
  deviceTime: z.string(),
  eventType: z.object({ id: z.string(), version: z.number() }),
  event: z.record(z.string(), z.union([z.string(), z.boolean()])),
});
export type QueuedEvent = z.infer<typeof QueuedEvent>;

const Installed = z.object({ filename: z.string(), sha256: z.string(), length: z.number() });

/** Metadata as received, in base64. The image targets, up to 8 MiB, have a file of their own. */
const DirectorMetadata = z.object({ root: z.string().nullable(), targets: z.string().nullable() });
const ImageMetadata = z.object({
  root: z.string().nullable(),
  timestamp: z.string().nullable(),
  snapshot: z.string().nullable(),
});

const DeviceState = z.object({
  /** SHA-256 of the last body that the server accepted, per path: the same body is not sent again. */
  accepted: z.record(z.string(), z.string()),
  reportCounter: z.number(),
  installed: z.record(z.string(), Installed),
  /** The ECUs done so far of the update under way, so that a restart in the middle loses no result. */
  progress: z.object({ correlationId: z.string(), items: z.array(Item) }).nullable(),
  pendingReport: Report.nullable(),
  events: z.array(QueuedEvent),
  eventBatch: z.number(),
  director: DirectorMetadata,
  image: ImageMetadata,
});
/** All that has to outlive a power cut, in one file that is replaced at once. */
export type DeviceState = z.infer<typeof DeviceState>;

export type DeviceStore = {
  readonly dir: string;
  readonly state: DeviceState;
  /** Writes `state`; what happened before it resolves survives any crash after. */
  save(): Promise<void>;
  readImageTargets(): Promise<Buffer | null>;
  writeImageTargets(bytes: Uint8Array): Promise<void>;
};

export const FULL_EVENT_BATCH = 100;

/** @throws AppError `start.failed` when the folder holds a state that nobody can read */
export async function openDeviceStore(dir: string): Promise<DeviceStore> {
  await makeFolder(dir);
  const path = join(dir, "state.json");
  const targetsPath = join(dir, "image-targets.json");
  const stored = await findFile(path);
  const state = stored === null ? emptyState() : parseState(path, stored);
  return {
    dir,
    state,
    save: () => writeAtomically(path, JSON.stringify(state)),
    readImageTargets: () => findFile(targetsPath),
    writeImageTargets: (bytes) => writeAtomically(targetsPath, bytes),
  };
}

function emptyState(): DeviceState {
  return {
    accepted: {},
    reportCounter: 0,
    installed: {},
    progress: null,
    pendingReport: null,
    events: [],
    eventBatch: FULL_EVENT_BATCH,
    director: { root: null, targets: null },
    image: { root: null, timestamp: null, snapshot: null },
  };
}

function parseState(path: string, bytes: Buffer): DeviceState {
  try {
    return DeviceState.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new AppError("start.failed", `The device's state in ${path} cannot be read.`, { cause });
  }
}
