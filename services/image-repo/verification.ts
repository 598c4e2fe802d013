import type { BlobStore } from "#lib/blobs/store.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { currentRoot, findRepo, findRoot } from "#services/keyserver/service.ts";
import { checkCommit } from "#services/treehub/service.ts";
import {
  type CheckedRepository,
  commitFinding,
  type RepositorySource,
  verifyUploaded,
} from "#services/verification/service.ts";
import type { ImageRepoCtx } from "./images.ts";
import { readRole } from "./roles.ts";
import * as store from "./store.ts";

/** Checks an image that has just arrived, over what is stored here; never fails, since the image is listed by then. */
export async function verifyImage(ctx: ImageRepoCtx, repoId: string, filename: string): Promise<void> {
  const image = await store.findImage(ctx.db, ctx.namespaceId, filename);
  if (image !== null) await verifyUploaded(ctx, ownSource(ctx, repoId), image);
}

/** This repository, for whoever has its images checked in this process. */
export function ownRepository(blobs: BlobStore): CheckedRepository {
  return {
    list: (ctx, filenames) => store.findImages(ctx.db, ctx.namespaceId, filenames),
    async source(ctx) {
      const repo = await findRepo(ctx.db, ctx.namespaceId, "image");
      if (repo === null) throw new AppError("ota.no_repo_for_namespace", "This namespace has no image repository yet.");
      return ownSource({ ...ctx, blobs }, repo.repoId);
    },
  };
}

/** This repository as one reads it without its own door in between. */
function ownSource(ctx: ImageRepoCtx, repoId: string): RepositorySource {
  return {
    repository: "embedded",
    root: async (version) =>
      version === null ? (await currentRoot(ctx, repoId)).bytes : findRoot(ctx.db, repoId, version),
    async role(role) {
      await readRole(ctx, repoId, role); // renews what is about to end
      return (await store.roleDocument(ctx.db, repoId, role))?.bytes ?? null; // what is stored, not what is remembered
    },
    async open(filename) {
      const image = await store.findImage(ctx.db, ctx.namespaceId, filename);
      if (image === null || image.blobKey === null) return { kind: "elsewhere" };
      const opened = await ctx.blobs.open(image.blobKey);
      return opened === null ? { kind: "gone" } : { kind: "bytes", stream: opened.stream };
    },
    commit: async (commit) =>
      commitFinding(ctx.config.TREEHUB_URL === undefined ? await checkCommit(ctx, commit) : null),
  };
}
