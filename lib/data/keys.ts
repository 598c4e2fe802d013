import type { DehydratedState } from "@tanstack/react-query";
import { keys } from "#lib/client/keys.ts";
import { getKeys } from "#services/signing-keys/service.ts";
import { prefetch } from "./prefetch.ts";

export function prefetchKeys(): Promise<DehydratedState> {
  return prefetch({ key: keys.signingKeys.all, read: ({ ctx, actor }) => getKeys(ctx, actor) });
}
