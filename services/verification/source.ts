import type { Readable } from "node:stream";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { RepoImage } from "#lib/contracts/ota/reposerver.ts";
import type { CommitCheckReply } from "#lib/contracts/ota/treehub.ts";
import { AppError, isAppError } from "#lib/errors/app-error.ts";

export type RepositoryRole = "timestamp" | "snapshot" | "targets";

/** The bytes that stand behind a file name, or why there are none to look at. */
export type Content =
  | { readonly kind: "bytes"; readonly stream: Readable }
  | { readonly kind: "gone" }
  /** Kept where the repository does not serve them itself: following an address that a back end names is no job for this server. */
  | { readonly kind: "elsewhere" };

/** What walking an OSTree commit came to. */
export type CommitFinding =
  | { readonly kind: "complete"; readonly objects: number }
  | { readonly kind: "broken"; readonly code: string; readonly text: string }
  | { readonly kind: "unknown"; readonly text: string };

/** An image repository as a device reads it: documents and bytes, nothing that it says about itself. */
export type RepositorySource = {
  /** Whose root is pinned: "embedded", or the base address of an external repository. */
  readonly repository: string;
  /** @param version null for the newest @returns null when there is none */
  root(version: number | null): Promise<Uint8Array | null>;
  role(role: RepositoryRole): Promise<Uint8Array | null>;
  open(filename: string): Promise<Content>;
  commit(commit: string): Promise<CommitFinding>;
};

/** The repository that this install uses, over its contract: the same for the embedded one and for an external one. */
export function httpSource(ctx: BackendCtx): RepositorySource {
  const { reposerver } = ctx.backends;
  return {
    repository: ctx.config.REPOSERVER_URL ?? "embedded",
    root: (version) => reposerver.readMetadata(ctx, version === null ? "root.json" : `${version}.root.json`),
    role: (role) => reposerver.readMetadata(ctx, `${role}.json`),
    async open(filename) {
      const { status, body } = await reposerver.openImage(ctx, filename);
      if (status === 200) return { kind: "bytes", stream: body };
      body.resume();
      // 409: listed, but the embedded repository has lost the bytes.
      if (status === 404 || status === 409 || status === 410) return { kind: "gone" };
      if (status === 417 || (status >= 300 && status < 400)) return { kind: "elsewhere" };
      throw new AppError("backend.refused", `The image repository answered ${status} instead of the image.`, {
        context: { status },
      });
    },
    commit: async (commit) => commitFinding(await ctx.backends.treehub.checkCommit(ctx, commit)),
  };
}

/** How the repository lists an image; null when it does not. @throws AppError `backend.*` */
export async function findListed(ctx: BackendCtx, filename: string): Promise<RepoImage | null> {
  try {
    return await ctx.backends.reposerver.getImage(ctx, filename);
  } catch (error) {
    if (isAppError(error, "image.not_found")) return null;
    throw error;
  }
}

/** What TreeHub's own walk over a commit came to. */
export function commitFinding(check: CommitCheckReply | null): CommitFinding {
  if (check === null) {
    return {
      kind: "unknown",
      text: "The TreeHub does not serve its objects itself, and addresses that it names are not followed.",
    };
  }
  const { problem } = check;
  const objects = Object.values(check.objects).reduce((sum, count) => sum + count, 0);
  if (problem === null) return { kind: "complete", objects };
  const where = problem.path === "" ? "" : ` at ${problem.path}`;
  return { kind: "broken", code: problem.code, text: `${problem.object}${where}: ${problem.text}` };
}
