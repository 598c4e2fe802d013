import { count, plural } from "#lib/client/format.ts";
import type { KeysOverview, RepositoryName, RoleKeys } from "#lib/contracts/console/keys.ts";

export const REPOSITORY_TITLE: Readonly<Record<RepositoryName, string>> = {
  image: "Image repository",
  director: "Director",
};

const ROLE_TEXT: Readonly<Record<string, string>> = {
  root: "Says which keys speak for every role, itself included.",
  targets: "Says what there is to install.",
  snapshot: "Says which versions belong together.",
  timestamp: "Says what is the latest, every day anew.",
};

export function roleText(role: string): string {
  return ROLE_TEXT[role] ?? "Devices look at it only where they use it.";
}

/** Who signs it again before it ends. */
export const RENEWAL_TEXT: Readonly<Record<RoleKeys["renewal"], string>> = {
  automatic: "By itself",
  per_device: "By itself",
  person: "By who has the key",
  not_known: "Not known",
};

/** Whom its end would stop. A device looks at the date when it polls, and at no other time. */
export function strandedText({ renewal }: RoleKeys, { total, seenLastDay }: KeysOverview["fleet"]): string {
  if (renewal === "per_device") return "Made anew when a device asks, so its end strands nobody.";
  if (total === 0) return "Once it has ended, devices refuse updates. There is no device yet.";
  const within = seenLastDay === total ? "all" : count(seenLastDay);
  return `Once it has ended, ${plural(total, "device")} refuse updates at their next poll; ${within} polled within the last day.`;
}

export function shortKeyId(keyId: string): string {
  return keyId.slice(0, 8);
}
