import { AppError } from "#lib/errors/app-error.ts";

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
const OWN_SITES: ReadonlySet<string> = new Set(["same-origin", "none"]);

/**
 * A change asked for with a cookie must come from our own pages: browsers send `Origin` with every such request, and no page can
 * forge it. A request without one is no page of ours.
 *
 * @param required false where there is no cookie to misuse (sign-in, set-up): then only a foreign Origin is refused
 * @throws AppError `request.origin_refused`
 */
export function assertOwnOrigin(req: Request, publicUrl: string, required: boolean): void {
  if (SAFE_METHODS.has(req.method)) return;
  const origin = req.headers.get("origin");
  const site = req.headers.get("sec-fetch-site");
  const own = origin === null ? !required : origin === new URL(publicUrl).origin;
  if (own && (site === null || OWN_SITES.has(site))) return;
  throw new AppError(
    "request.origin_refused",
    `Changes are taken from pages of ${new URL(publicUrl).origin} only. Scripts use a bearer token.`,
  );
}
