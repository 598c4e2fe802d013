import { z } from "zod";
import { decodeCursor, encodeCursor, type Page } from "#lib/contracts/console/common.ts";
import type { ListImages } from "#lib/contracts/console/images.ts";
import type { RepoImage } from "#lib/contracts/ota/reposerver.ts";
import { AppError } from "#lib/errors/app-error.ts";
import { type BackendClient, type BackendReply, parseReply } from "./http.ts";

const SignedTargets = z.object({
  signed: z.object({
    targets: z.record(
      z.string(),
      z.object({
        length: z.number().int(),
        hashes: z.object({ sha256: z.string() }),
        custom: z
          .object({
            name: z.string(),
            version: z.string(),
            hardwareIds: z.array(z.string()),
            targetFormat: z.enum(["BINARY", "OSTREE"]).nullish(),
            createdAt: z.string().nullish(),
          })
          .nullish(),
      }),
    ),
  }),
});

export type SignedImages = {
  page(query: ListImages): Page<RepoImage>;
  /** @throws AppError `image.not_found` */
  get(filename: string): RepoImage;
};

/** Images as an external repository signed them; it says nothing of verification or use. */
export function listSignedTargets(client: BackendClient, reply: BackendReply): SignedImages {
  const { targets } = parseReply(client, reply, SignedTargets).signed;
  const images = Object.entries(targets).map(
    ([filename, target]): RepoImage => ({
      filename,
      name: target.custom?.name ?? filename,
      version: target.custom?.version ?? "",
      hardwareIds: target.custom?.hardwareIds ?? [],
      sha256: target.hashes.sha256,
      length: target.length,
      format: target.custom?.targetFormat ?? "BINARY",
      createdAt: toInstant(target.custom?.createdAt),
      verification: { state: "not_checked", checks: [] },
    }),
  );
  return {
    page: (query) => pageOfImages(images, query),
    get(filename) {
      const found = images.find((image) => image.filename === filename);
      if (found === undefined) throw new AppError("image.not_found", "There is no such image.");
      return found;
    },
  };
}

function pageOfImages(images: readonly RepoImage[], query: ListImages): Page<RepoImage> {
  const search = query.q?.toLowerCase() ?? "";
  const { hardware } = query;
  const matching = images.filter(
    (image) =>
      image.filename.toLowerCase().includes(search) && (hardware === undefined || image.hardwareIds.includes(hardware)),
  );
  const key = (image: RepoImage) =>
    query.sort.endsWith("filename") ? image.filename : `${image.createdAt} ${image.filename}`;
  const sign = query.sort.startsWith("-") ? -1 : 1;
  const order = (a: string, b: string) => sign * (a < b ? -1 : a > b ? 1 : 0);
  const after = query.cursor === undefined ? null : (decodeCursor(query.cursor, 1)[0] ?? null);
  const rest = matching
    .toSorted((a, b) => order(key(a), key(b)))
    .filter((image) => after === null || order(key(image), after) > 0);
  const data = rest.slice(0, query.limit);
  const last = data.at(-1);
  return {
    data,
    nextCursor: rest.length > data.length && last !== undefined ? encodeCursor([key(last)]) : null,
    total: matching.length,
    totalIsExact: true,
  };
}

function toInstant(text: string | null | undefined): string {
  const at = new Date(text ?? 0);
  return (Number.isNaN(at.getTime()) ? new Date(0) : at).toISOString();
}
