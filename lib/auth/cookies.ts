/** Cookies ignore ports, so their names carry the install's id: two installs on one host name do not sign each other out. */
export type CookieNames = {
  readonly session: string;
  readonly csrf: string;
  readonly callback: string;
  /** Sent over HTTPS only. */
  readonly secure: boolean;
};

export const SESSION_COOKIE_STEM = "gatehouse-session-";

export function cookieNames(installId: string, publicUrl: string): CookieNames {
  const secure = publicUrl.startsWith("https:");
  const host = secure ? "__Host-" : "";
  return {
    session: `${secure ? "__Secure-" : ""}${SESSION_COOKIE_STEM}${installId}`,
    csrf: `${host}gatehouse-csrf-${installId}`,
    callback: `${host}gatehouse-callback-${installId}`,
    secure,
  };
}

/** The value of a cookie in a `Cookie` header. @returns null when absent, or named twice: then nobody knows whose it is */
export function readCookie(header: string | null, name: string): string | null {
  if (header === null) return null;
  const values = header
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  const [value, ...others] = values;
  return value === undefined || value === "" || others.length > 0 ? null : value;
}
