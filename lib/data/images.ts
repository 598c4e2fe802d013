import type { DehydratedState } from "@tanstack/react-query";
import { cache } from "react";
import { toImageQuery } from "#lib/client/image-params.ts";
import { keys } from "#lib/client/keys.ts";
import { TargetFilename } from "#lib/contracts/console/common.ts";
import { type Image, ListImages } from "#lib/contracts/console/images.ts";
import { isAppError } from "#lib/errors/app-error.ts";
import { getImage, listImages } from "#services/catalog/service.ts";
import { present } from "./params.ts";
import { prefetch } from "./prefetch.ts";
import { requirePageSession } from "./session.ts";

export function prefetchImages(params: Parameters<typeof toImageQuery>[0]): Promise<DehydratedState> {
  const query = toImageQuery(params);
  return prefetch({
    key: keys.images.list(query),
    read: ({ ctx, actor }) => listImages(ctx, actor, ListImages.parse(present(query))),
  });
}

/** @returns null when there is no such image; `undefined` when the repository does not answer: the page says so itself */
export const findImage = cache(async (filename: string): Promise<Image | null | undefined> => {
  const { ctx, actor } = await requirePageSession();
  if (!TargetFilename.safeParse(filename).success) return null;
  try {
    return await getImage(ctx, actor, filename);
  } catch (error) {
    if (isAppError(error, "image.not_found")) return null;
    if (isAppError(error) && error.code.startsWith("backend.")) return undefined;
    throw error;
  }
});

export function prefetchImage(image: Image): Promise<DehydratedState> {
  return prefetch({ key: keys.images.one(image.filename), read: async () => image });
}
