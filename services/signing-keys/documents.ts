import type { BackendCtx } from "#lib/backends/backends.ts";
import type { RepositoryName } from "#lib/contracts/console/keys.ts";
import type { RepositoryKeys } from "#lib/contracts/ota/repository-keys.ts";
import { parseEnvelope } from "#lib/uptane/envelope.ts";
import { parseExpires } from "#lib/uptane/expiry.ts";
import { METADATA_LIMITS } from "#lib/uptane/limits.ts";
import { parseFullRoot } from "#lib/uptane/next-root.ts";
import { member, readInteger, readString } from "#lib/uptane/read.ts";

type Document = { readonly version: number; readonly expiresAt: string; readonly checksum: string };

/** What a back end's own metadata says of its keys, where it tells no more. @throws AppError `backend.*` | `uptane.*` */
export async function readDocuments(ctx: BackendCtx, repository: RepositoryName): Promise<RepositoryKeys> {
  const { repositoryKeys } = ctx.backends;
  const names = repository === "image" ? (["targets", "snapshot", "timestamp"] as const) : [];
  const [root, ...others] = await Promise.all([
    repositoryKeys.readMetadata(ctx, repository, "root.json"),
    ...names.map(
      async (name) => [name, readDocument(await repositoryKeys.readMetadata(ctx, repository, `${name}.json`))] as const,
    ),
  ]);
  const documents = new Map<string, Document>([["root", readDocument(root)], ...others]);
  const { roles, keys } = parseFullRoot(parseEnvelope(root, METADATA_LIMITS.root).signed);
  return {
    repoId: "",
    roles: [...roles].map(([role, { keyids, threshold }]) => ({
      role,
      threshold,
      keys: [...new Set(keyids)].map((keyId) => ({
        keyId,
        type: keys.get(keyId)?.keytype ?? "ED25519",
        online: false,
      })),
      document: documents.get(role) ?? null,
    })),
  };
}

function readDocument(bytes: Uint8Array): Document {
  const { signed, sha256 } = parseEnvelope(bytes, METADATA_LIMITS.imageTargets);
  return {
    version: readInteger(member(signed, "version"), "version", 1),
    expiresAt: parseExpires(readString(member(signed, "expires"), "expires")).toISOString(),
    checksum: sha256,
  };
}
