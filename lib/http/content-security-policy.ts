import { isDevelopment } from "#lib/config/console-environment.ts";

/**
 * Scripts run with this request's nonce only. Style elements too; style attributes are allowed, because measured
 * positions (menus, virtual rows) are set that way and carry no code.
 */
export function contentSecurityPolicy(nonce: string): string {
  const dev = isDevelopment();
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'${dev ? " 'unsafe-eval'" : ""}`,
    // While developing, style sheets are put in by scripts that know no nonce.
    dev ? "style-src 'self' 'unsafe-inline'" : `style-src 'self' 'nonce-${nonce}'`,
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    `connect-src 'self'${dev ? " ws: wss:" : ""}`,
    "worker-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
