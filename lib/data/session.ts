import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { cache } from "react";
import type { Actor } from "#lib/authz/actor.ts";
import type { BackendCtx } from "#lib/backends/backends.ts";
import type { Me } from "#lib/contracts/console/accounts.ts";
import { REQUESTED_PATH_HEADER } from "#lib/http/request-headers.ts";
import { getMe } from "#services/accounts/service.ts";
import { getConsole } from "./context.ts";
import { ctxOfRequest, findActor } from "./request.ts";

export type PageSession = { ctx: BackendCtx; actor: Actor };

/** Who asks for this page; nobody is sent to sign in. Asked once a request, however many parts of the page want to know. */
export const requirePageSession = cache(async (): Promise<PageSession> => {
  const it = await getConsole();
  const own = new Headers(await headers());
  // Pages are for people: an Authorization header may be that of a proxy in front of us, and is none of a page's business.
  own.delete("authorization");
  const ctx = ctxOfRequest(it, own);
  const actor = await findActor(it, ctx, own);
  if (actor === null) redirect(`/sign-in?from=${encodeURIComponent(own.get(REQUESTED_PATH_HEADER) ?? "/")}`);
  return { ctx, actor };
});

export const readMe = cache(async (): Promise<Me> => {
  const { ctx, actor } = await requirePageSession();
  return getMe(ctx, actor);
});
