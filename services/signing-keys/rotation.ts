import type { BackendCtx } from "#lib/backends/backends.ts";
import type { KeyCheck, KeyRepository, RepositoryName } from "#lib/contracts/console/keys.ts";
import { rehearse } from "#lib/uptane/rehearsal.ts";
import type { Judged } from "./candidates.ts";
import { toCheck } from "./names.ts";

/** @throws AppError `signing_key.unsupported` | `signing_key.refused` | `backend.*` */
export async function rehearseRotation(ctx: BackendCtx, { repository, roles }: KeyRepository): Promise<Judged> {
  const checks = (await ctx.backends.repositoryKeys.rehearse(ctx, repository)).map(toCheck);
  const offline = roles.some(({ role, keys }) => role === "targets" && keys.some(({ state }) => state === "offline"));
  const consequences = [
    "Root and targets get new keys here; the private parts of the old ones are deleted for good.",
    ...(offline
      ? ["The targets key comes online again: whoever holds the offline one can no longer sign images."]
      : []),
    repository === "image"
      ? "Targets, snapshot and timestamp are signed anew at once."
      : "Every device gets metadata under the new keys at its next fetch.",
    "Devices follow the chain of roots by themselves, however long they were away.",
  ];
  return { checks, consequences };
}

/** What a device that trusted `root` finds now. */
export async function verifyServed(ctx: BackendCtx, repository: RepositoryName, root: Buffer): Promise<KeyCheck[]> {
  const read = (name: string) => ctx.backends.repositoryKeys.readMetadata(ctx, repository, name);
  const now = ctx.clock();
  const nextRoot = await read("root.json");
  if (repository === "director") return rehearse({ repository, root, nextRoot, now, targets: null }).map(toCheck);
  const [timestamp, snapshot, targets] = await Promise.all([
    read("timestamp.json"),
    read("snapshot.json"),
    read("targets.json"),
  ]);
  return rehearse({ repository, root, nextRoot, now, timestamp, snapshot, targets }).map(toCheck);
}
