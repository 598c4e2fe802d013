import { cookies } from "next/headers";
import { cache } from "react";
import { PREFERENCES, type Preferences, parsePreference, TIME_ZONE_COOKIE } from "#lib/client/preferences.ts";
import { isTimeZone } from "#lib/client/time.ts";

/** How the viewer likes to see the console, from their cookies; what makes no sense counts as absent. */
export const readPreferences = cache(async (): Promise<Preferences & { timeZone: string }> => {
  const jar = await cookies();
  const zone = decode(jar.get(TIME_ZONE_COOKIE)?.value);
  return {
    theme: parsePreference("theme", jar.get(PREFERENCES.theme.cookie)?.value),
    rail: parsePreference("rail", jar.get(PREFERENCES.rail.cookie)?.value),
    firstSteps: parsePreference("firstSteps", jar.get(PREFERENCES.firstSteps.cookie)?.value),
    density: parsePreference("density", jar.get(PREFERENCES.density.cookie)?.value),
    timeZone: zone.length <= 60 && isTimeZone(zone) ? zone : "UTC",
  };
});

function decode(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? "UTC");
  } catch {
    return "UTC";
  }
}
