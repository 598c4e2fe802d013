"use client";

import { useQuery } from "@tanstack/react-query";
import { api } from "#lib/client/api.ts";
import { keys } from "#lib/client/keys.ts";

/** Why images can't be changed from here, because the key that lists them is elsewhere; null as long as nothing says so. */
export function useImagesLock(): string | null {
  const { data } = useQuery({
    queryKey: keys.signingKeys.all,
    queryFn: ({ signal }) => api.getKeys(signal),
    select: ({ imagesLocked }) => imagesLocked,
  });
  return data ?? null;
}
