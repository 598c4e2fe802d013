/** How somebody likes to see the console. Kept in cookies, so that the server renders it right at once; nothing about the fleet is ever kept. */
export const PREFERENCES = {
  theme: { cookie: "gatehouse-theme", values: ["system", "light", "dark"] },
  rail: { cookie: "gatehouse-rail", values: ["wide", "narrow"] },
  firstSteps: { cookie: "gatehouse-first-steps", values: ["shown", "hidden"] },
  density: { cookie: "gatehouse-density", values: ["normal", "compact"] },
} as const;

export const TIME_ZONE_COOKIE = "gatehouse-time-zone";

export type PreferenceName = keyof typeof PREFERENCES;
export type Preference<N extends PreferenceName> = (typeof PREFERENCES)[N]["values"][number];
export type Preferences = { [N in PreferenceName]: Preference<N> };

/** The first value is the default. */
export function parsePreference<N extends PreferenceName>(name: N, text: string | undefined): Preference<N> {
  const values: readonly Preference<N>[] = PREFERENCES[name].values;
  const [fallback] = PREFERENCES[name].values as readonly [Preference<N>, ...Preference<N>[]]; // never empty, see above
  return values.find((value) => value === text) ?? fallback;
}

/** Takes effect at once through the attribute of the root element, and on the next page through the cookie. */
export function setPreference<N extends PreferenceName>(name: N, value: Preference<N>): void {
  document.documentElement.dataset[name] = value;
  writeCookie(PREFERENCES[name].cookie, value);
}

export function writeCookie(name: string, value: string): void {
  const secure = window.location.protocol === "https:" ? "; Secure" : "";
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API needs a secure context, a console on a plain plant network has none
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}
