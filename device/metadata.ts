import { refused } from "#device/announce.ts";
import type { Device } from "#device/device.ts";
import { isOk } from "#device/http.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";
import { parseEnvelope } from "#lib/uptane/envelope.ts";
import type { JsonLimits, JsonObject } from "#lib/uptane/json.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { parseSnapshot, parseTargets, parseTimestamp } from "#lib/uptane/roles.ts";
import {
  assertRootUnexpired,
  mayReplaceDirectorTargets,
  type VerifiedDirectorTargets,
  type VerifiedImageTargets,
  type VerifiedRoot,
  type VerifiedSnapshot,
  type VerifiedTimestamp,
  verifyDirectorTargets,
  verifyImageTargets,
  verifyInitialRoot,
  verifyNextRoot,
  verifySnapshot,
  verifyTimestamp,
} from "#lib/uptane/verify.ts";

/** What the director lists now, and what the device goes by: the stored list where the new one must not replace it. */
export type DirectorView = { readonly fetched: VerifiedDirectorTargets; readonly effective: VerifiedDirectorTargets };

/**
 * Fetches and verifies the director's root chain and targets.
 *
 * @throws AppError what `lib/uptane/verify.ts` throws | `backend.refused` | `backend.unreachable` | `backend.timeout`
 * @see contracts/aktualizr-client.md section 3 and 5
 */
export async function fetchDirector(device: Device): Promise<DirectorView> {
  const root = await walkRoots(device, "director");
  const { director } = device.store.state;
  const stored = openStored(director.targets, METADATA_LIMITS.directorTargets, parseTargets);
  const bytes = await fetchDocument(device, "/director/targets.json", METADATA_LIMITS.directorTargets.maxBytes);
  const now = device.clock();
  const fetched = verifyDirectorTargets({ bytes, root, now, storedVersion: stored?.version });
  if (director.targets !== null && !mayReplaceDirectorTargets(stored, fetched.signed)) {
    return { fetched, effective: verifyDirectorTargets({ bytes: decode(director.targets), root, now }) };
  }
  director.targets = encode(bytes);
  await device.store.save();
  return { fetched, effective: fetched };
}

/**
 * Fetches and verifies the image repository: root chain, timestamp, then snapshot and targets unless the stored ones are
 * those that are named.
 *
 * @throws AppError as {@link fetchDirector}
 */
export async function fetchImageRepository(device: Device): Promise<VerifiedImageTargets> {
  const root = await walkRoots(device, "image");
  const timestamp = await fetchTimestamp(device, root);
  const snapshot = await fetchSnapshot(device, root, timestamp);
  const now = device.clock();
  const verify = (bytes: Uint8Array) => verifyImageTargets({ bytes, root, now, snapshot });
  const stored = await device.store.readImageTargets();
  const unchanged = stored === null ? null : passes(() => verify(stored));
  if (unchanged !== null) return unchanged;
  const bytes = await fetchDocument(device, "/repo/targets.json", METADATA_LIMITS.imageTargets.maxBytes);
  const targets = verify(bytes);
  await device.store.writeImageTargets(bytes);
  return targets;
}

const PATHS = { director: "/director", image: "/repo" } as const;
/** Roots taken in one cycle; the rest follows in the next. */
const MAX_ROOT_STEPS = 1_024;

/** Any failed fetch ends the chain quietly, 404 being the clean one; a root that does not verify is fatal. */
async function walkRoots(device: Device, repo: "director" | "image"): Promise<VerifiedRoot> {
  let root = await firstRoot(device, repo);
  for (let step = 0; step < MAX_ROOT_STEPS; step += 1) {
    const bytes = await findDocument(device, `${PATHS[repo]}/${root.signed.version + 1}.root.json`);
    if (bytes === null) break;
    root = verifyNextRoot(root, bytes);
    await storeRoot(device, repo, bytes);
  }
  assertRootUnexpired(root, device.clock());
  return root;
}

async function firstRoot(device: Device, repo: "director" | "image"): Promise<VerifiedRoot> {
  const stored = device.store.state[repo].root;
  if (stored !== null) return verifyInitialRoot(decode(stored));
  const bytes = await fetchDocument(device, `${PATHS[repo]}/1.root.json`, METADATA_LIMITS.root.maxBytes);
  const root = verifyInitialRoot(bytes, 1);
  await storeRoot(device, repo, bytes);
  return root;
}

/** Every root step wipes the repository's other metadata, so that versions may start anew after a rotation. */
async function storeRoot(device: Device, repo: "director" | "image", bytes: Buffer): Promise<void> {
  const { state } = device.store;
  if (repo === "director") state.director = { root: encode(bytes), targets: null };
  else state.image = { root: encode(bytes), timestamp: null, snapshot: null };
  await device.store.save();
}

async function fetchTimestamp(device: Device, root: VerifiedRoot): Promise<VerifiedTimestamp> {
  const { image } = device.store.state;
  const stored = openStored(image.timestamp, METADATA_LIMITS.timestamp, parseTimestamp);
  const bytes = await fetchDocument(device, "/repo/timestamp.json", METADATA_LIMITS.timestamp.maxBytes);
  const timestamp = verifyTimestamp({ bytes, root, now: device.clock(), storedVersion: stored?.version });
  image.timestamp = encode(bytes);
  await device.store.save();
  return timestamp;
}

async function fetchSnapshot(
  device: Device,
  root: VerifiedRoot,
  timestamp: VerifiedTimestamp,
): Promise<VerifiedSnapshot> {
  const { image } = device.store.state;
  const now = device.clock();
  const { snapshot: storedText } = image;
  if (storedText !== null) {
    const unchanged = passes(() => verifySnapshot({ bytes: decode(storedText), root, now, timestamp }));
    if (unchanged !== null) return unchanged;
  }
  const stored = openStored(storedText, METADATA_LIMITS.snapshot, parseSnapshot) ?? undefined;
  const cap = Math.min(timestamp.signed.snapshot.length, METADATA_LIMITS.snapshot.maxBytes);
  const bytes = await fetchDocument(device, "/repo/snapshot.json", cap);
  const snapshot = verifySnapshot({ bytes, root, now, timestamp, stored });
  image.snapshot = encode(bytes);
  await device.store.save();
  return snapshot;
}

async function fetchDocument(device: Device, path: string, maxBytes: number): Promise<Buffer> {
  const reply = await device.http.call({ method: "GET", path, maxBytes });
  if (!isOk(reply.status)) throw refused(`The gateway did not serve ${path}.`, reply);
  return reply.body;
}

async function findDocument(device: Device, path: string): Promise<Buffer | null> {
  try {
    const reply = await device.http.call({ method: "GET", path, maxBytes: METADATA_LIMITS.root.maxBytes });
    return isOk(reply.status) ? reply.body : null;
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

/** A stored document's content for comparison only: its expiry no longer matters, and its signatures held when it was stored. */
function openStored<T>(base64: string | null, limits: JsonLimits, parse: (signed: JsonObject) => T): T | null {
  return base64 === null ? null : parse(parseEnvelope(decode(base64), limits).signed);
}

function passes<T>(verify: () => T): T | null {
  try {
    return verify();
  } catch (error) {
    if (isAppError(error)) return null;
    throw error;
  }
}

function encode(bytes: Buffer): string {
  return bytes.toString("base64");
}

function decode(base64: string): Buffer {
  return Buffer.from(base64, "base64");
}
