import { z } from "zod";
import { findDeltaId } from "#lib/ostree/deltas.ts";

export const CommitChecksum = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");

/** What libostree allows, so that nothing can be pushed that nobody can pull. */
export const RefName = z
  .string()
  .max(512)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._+-]*(\/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$/, "must be a name like heads/master");

const Project = z.record(z.string().max(200), z.string().max(4_096));

/** A repo tool's manifest, from XML. @see contracts/treehub.md section 5 */
export const RepoManifest = z.object({
  manifest: z.object({
    default: z.object({ "@revision": z.string().max(4_096) }),
    project: z
      .array(Project)
      .max(10_000)
      .refine(
        (projects) => projects.some((it) => it["@path"] === "meta-updater" && it["@revision"] !== undefined),
        "must have a project with the @path meta-updater and its @revision",
      ),
  }),
});

export const DeltaName = z.string().transform((text, check) => {
  const id = findDeltaId(text);
  if (id !== null) return id;
  check.addIssue("must be a delta's id");
  return z.NEVER;
});
export const DeltaFile = z.string().regex(/^(superblock|0|[1-9]\d{0,5})$/, "must be superblock or a number");
export const SuperblockHash = z.string().regex(/^[0-9a-f]{64}$/);

export const DeltaEnds = z.object({ from: CommitChecksum, to: CommitChecksum });
export const DeltaPage = z.object({
  offset: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
  limit: z.coerce.number().int().min(0).max(1_000).default(50),
});
export const DeltaCommits = z.object({ commits: z.array(CommitChecksum).max(1_000) });

/** Our own extension: a commit and everything below it, checked against the stored bytes. */
export const CommitCheckReply = z.object({
  commit: CommitChecksum,
  objects: z.object({ commit: z.number(), dirtree: z.number(), dirmeta: z.number(), filez: z.number() }),
  bytes: z.number(),
  problem: z.object({ object: z.string(), path: z.string(), code: z.string(), text: z.string() }).nullable(),
});
export type CommitCheckReply = z.infer<typeof CommitCheckReply>;

/** Our own extension: what a namespace keeps. */
export const TreehubUsage = z.object({
  objects: z.number(),
  objectBytes: z.number(),
  deltaFiles: z.number(),
  deltaBytes: z.number(),
});
export type TreehubUsage = z.infer<typeof TreehubUsage>;
