import { isDeepStrictEqual } from "node:util";
import type { Tx } from "#lib/db/client.ts";
import { publishEvent } from "#lib/db/events.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { recordByMachine } from "#services/audit/service.ts";
import { countImageUses } from "#services/fleet/service.ts";
import { currentRoot, latestRoot } from "#services/keyserver/service.ts";
import { REPOSITORY } from "./audited.ts";
import { type ImageRepoCtx, lockImages, removeUnlisted } from "./images.ts";
import { lockRepo, publishSigned } from "./roles.ts";
import {
  type ListedItem,
  type ListReading,
  readSignedList,
  reasonsOfSignatures,
  type SignedList,
} from "./signed-list.ts";
import * as store from "./store.ts";
import { insertAdded } from "./store-added.ts";
import { dropDelegatedTargets, dropDelegations, putDelegations } from "./store-delegations.ts";
import { buryImages, findTombstones, putImages } from "./store-listed.ts";
import { type ReceivedRow, takeReceived } from "./store-uploads.ts";

/** Each is locked by its name, and the database has room for so many locks. */
const MAX_REMOVED = 1_000;
const MAX_REASONS = 50;

/**
 * Puts a list of images in force that was signed elsewhere, byte for byte in its canonical form: with a snapshot and a timestamp that end
 * when it does, and with what it lists as the images from now on. Bytes that a tool has sent for it become the images' own.
 *
 * The same list may be sent again: a tool that lost the answer goes on.
 *
 * @param replaces the role checksum of the list that the signer saw
 * @returns the checksum of the list in force
 * @throws AppError `ota.role_checksum_not_provided` | `ota.role_checksum_mismatch` | `ota.invalid_offline_targets` (its detail lists every
 *   reason: also other bytes under a known name, or none) | `ota.invalid_version_bump` | `image.in_use` (an image that is left out is
 *   assigned to a device) | `uptane.too_large`
 * @see contracts/reposerver-keyserver.md section 5; docs/decisions/008-immutable-image-names.md
 */
export async function putSignedTargets(
  ctx: ImageRepoCtx,
  repoId: string,
  { bytes, replaces }: { bytes: Buffer; replaces: string | null },
): Promise<string> {
  const reading = readSignedList(bytes, ctx.clock());
  await currentRoot(ctx, repoId); // renewed before the transaction when it is due
  const { checksum, unlisted } = await ctx.db.$transaction((tx) => putIn(tx, ctx, { repoId, reading, replaces }));
  await removeUnlisted(ctx, unlisted);
  return checksum;
}

type Outcome = { checksum: string; unlisted: string[] };

async function putIn(
  tx: Tx,
  ctx: ImageRepoCtx,
  of: { repoId: string; reading: ListReading; replaces: string | null },
): Promise<Outcome> {
  const { repoId, reading, replaces } = of;
  await lockRepo(tx, repoId);
  const current = (await store.roleFacts(tx, repoId)).find(({ role }) => role === "targets");
  if (current !== undefined && replaces === null) {
    throw new AppError("ota.role_checksum_not_provided", "x-ats-role-checksum must name the list that is replaced.");
  }
  if (current !== undefined && reading.ok && reading.list.document.checksum === current.checksum) {
    return { checksum: current.checksum, unlisted: [] };
  }
  if (current !== undefined && replaces !== current.checksum) {
    throw new AppError("ota.role_checksum_mismatch", "The list has changed meanwhile. Pull it and sign again.");
  }
  if (!reading.ok) throw refused(reading.reasons);
  const { list } = reading;
  const root = await latestRoot(tx, repoId);
  const unsigned = reasonsOfSignatures(list.envelope, root);
  if (unsigned.length > 0) throw refused(unsigned);
  const unlisted = await listAll(tx, ctx, list);
  const version = (current?.version ?? 0) + 1;
  if (list.document.version !== version) {
    throw new AppError("ota.invalid_version_bump", `The version must be ${version}, not ${list.document.version}.`);
  }
  await publishSigned(tx, { ctx, repoId, root, targets: list.document });
  const after = { "targets version": version, images: list.items.length };
  await recordByMachine(tx, ctx, { action: "keys.push_targets", target: REPOSITORY, after });
  return { checksum: list.document.checksum, unlisted };
}

/** Makes the images what the list says. @returns keys of bytes that may be needed no more */
async function listAll(tx: Tx, ctx: ImageRepoCtx, list: SignedList): Promise<string[]> {
  const { namespaceId } = ctx;
  const before = new Map((await store.allImages(tx, namespaceId)).map((image) => [image.filename, image]));
  const listed = new Set(list.items.map(({ filename }) => filename));
  const removed = [...before.values()].filter(({ filename }) => !listed.has(filename));
  await assertRemovable(tx, namespaceId, removed);
  const names = [...listed].filter((filename) => !before.has(filename));
  const received = await takeReceived(tx, namespaceId, names);
  const known = { before, buried: await findTombstones(tx, namespaceId, names), received };
  const judged = list.items.map((item) => judge(item, known));
  const reasons = judged.filter((image) => typeof image === "string");
  if (reasons.length > 0) throw refused(reasons);
  const images = judged.filter((image) => typeof image !== "string");
  const changed = images.filter((image) => !isDeepStrictEqual(before.get(image.filename), image));
  await putImages(tx, namespaceId, changed);
  await buryImages(tx, namespaceId, removed, ctx.clock());
  await insertAdded(
    tx,
    namespaceId,
    changed.filter(({ filename }) => !before.has(filename)),
  );
  await putDelegated(tx, namespaceId, list);
  const touched = [...changed, ...removed];
  const [first] = touched;
  const subjectId = touched.length === 1 && first !== undefined ? first.filename : "";
  await publishEvent(tx, namespaceId, { topic: "image", subjectId });
  return [...removed.flatMap(({ blobKey }) => blobKey ?? []), ...received.map(({ sha256 }) => sha256)];
}

async function assertRemovable(tx: Tx, namespaceId: string, removed: readonly store.ImageRow[]): Promise<void> {
  if (removed.length === 0) return;
  if (removed.length > MAX_REMOVED) {
    throw refused([`It leaves ${removed.length} images out, and one list may leave out ${MAX_REMOVED}.`]);
  }
  const filenames = removed.map(({ filename }) => filename);
  await lockImages(tx, namespaceId, filenames);
  const uses = await countImageUses(tx, namespaceId, filenames);
  const assigned = filenames.find((filename) => (uses.get(filename)?.assignedTo ?? 0) > 0);
  if (assigned === undefined) return;
  throw new AppError("image.in_use", `${assigned} is left out but assigned to a device. Cancel the update first.`);
}

async function putDelegated(tx: Tx, namespaceId: string, { delegations }: SignedList): Promise<void> {
  if (delegations === null) await dropDelegations(tx, namespaceId);
  else await putDelegations(tx, namespaceId, delegations);
  const trusted = delegations?.roles.map(({ name }) => name) ?? [];
  await dropDelegatedTargets(tx, namespaceId, trusted);
}

type Known = {
  before: ReadonlyMap<string, store.ImageRow>;
  buried: ReadonlyMap<string, { sha256: string; length: number }>;
  received: readonly ReceivedRow[];
};

/** @returns the image as it will be, or what is against it */
function judge(item: ListedItem, { before, buried, received }: Known): store.ImageRow | string {
  const { filename, sha256, length, custom } = item;
  const against = (why: string) => `${JSON.stringify(filename)}: ${why}`;
  const image = before.get(filename);
  const known = image ?? buried.get(filename);
  if (known !== undefined && (known.sha256 !== sha256 || known.length !== length)) {
    return against("the name belongs to other bytes, and keeps them for ever. Use another version.");
  }
  if (custom === null) return image?.name === null ? image : against("it has no custom part.");
  const { targetFormat: format, proprietary, ...said } = custom;
  if (image !== undefined) return { ...image, ...said, format, proprietary };
  const isHere = received.some((one) => one.filename === filename && one.sha256 === sha256 && one.length === length);
  if (said.cliUploaded === true && !isHere) return against("its bytes have not been uploaded.");
  const storage = said.cliUploaded === true ? "cli_managed" : "unmanaged";
  return {
    filename,
    sha256,
    length,
    ...said,
    format,
    proprietary,
    storage,
    blobKey: isHere && storage === "cli_managed" ? sha256 : null,
  };
}

function refused(reasons: readonly string[]): AppError {
  return new AppError("ota.invalid_offline_targets", "The signed list was not accepted.", {
    detail: reasons.slice(0, MAX_REASONS),
    context: { reasons: reasons.length },
  });
}
