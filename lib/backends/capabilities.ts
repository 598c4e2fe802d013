import type { BackendCapability } from "#lib/contracts/console/back-ends.ts";
import { AppError } from "#lib/errors/app-error.ts";
import type { Spoken } from "./generation.ts";
import { toRegistryPath } from "./generation.ts";
import type { BackendCall, BackendClient } from "./http.ts";
import type { BackendId, BackendLink } from "./links.ts";

type Row = { name: BackendCapability["name"]; isThere(spoken: Spoken, isExternal: boolean): boolean; without: string };

/** Of both repositories. */
const KEYS: readonly Row[] = [
  {
    name: "key_rotation",
    isThere: ({ isGatehouse }) => isGatehouse,
    without: "It is no Gatehouse: it can't rehearse a change of keys, rotate them or sign anew when asked.",
  },
  {
    name: "key_states",
    isThere: ({ isGatehouse }) => isGatehouse,
    without: "It does not say which of its keys are online, so none is taken offline from here.",
  },
];

/** What the console uses and not every back end has. `without` says what that means for a person. */
const CAPABILITIES: Record<BackendId, readonly Row[]> = {
  "device-registry": [
    {
      name: "hibernation",
      isThere: ({ hibernates }) => hibernates !== false,
      without: "Devices can't be told to sleep: this device registry is too old for it.",
    },
    {
      name: "events_by_update",
      isThere: ({ generation }) => generation !== "B",
      without: "The second version of the list of events is gone in generation [B].",
    },
  ],
  director: [
    {
      name: "cancel_in_flight",
      isThere: ({ generation, isGatehouse }) => isGatehouse || generation === "B",
      without: "A device that has fetched an update keeps it: this director takes back only what nobody has fetched.",
    },
    {
      name: "scheduled_updates",
      isThere: ({ generation, isGatehouse }) => isGatehouse || generation === "B",
      without: "Updates can't be set for a time: only directors of generation [B] can do that.",
    },
    {
      name: "device_state",
      isThere: ({ isGatehouse }) => isGatehouse,
      without: "Only what a device has reported is known of it, and its signed manifest stays with this director.",
    },
    ...KEYS,
  ],
  reposerver: [
    {
      name: "uploads_in_parts",
      isThere: ({ isGatehouse }) => isGatehouse,
      without: "An image is uploaded in one piece: an upload that breaks off begins anew.",
    },
    {
      name: "image_pages",
      isThere: ({ isGatehouse }) => isGatehouse,
      without: "Images are read from the signed list as a whole.",
    },
    ...KEYS,
    {
      name: "targets_key_export",
      isThere: (_spoken, isExternal) => !isExternal,
      without: "Its private targets key is handed out where the image repository runs, not from here.",
    },
  ],
  keyserver: [],
  treehub: [
    {
      name: "commit_check",
      isThere: ({ isGatehouse }) => isGatehouse,
      without:
        "This TreeHub does not check commits by itself: their objects are read from here one by one, which takes longer.",
    },
  ],
};

type Asked = Pick<BackendLink, "id" | "isExternal">;

export function capabilitiesOf({ id, isExternal }: Asked, spoken: Spoken): BackendCapability[] {
  return CAPABILITIES[id].map(({ name, isThere, without }) => {
    const isAvailable = isThere(spoken, isExternal);
    return { name, isAvailable, reason: isAvailable ? null : without };
  });
}

/** What it means for a person that this back end lacks something; null when it has it. */
export function lackOf(link: Asked, spoken: Spoken, name: BackendCapability["name"]): string | null {
  return capabilitiesOf(link, spoken).find((capability) => capability.name === name)?.reason ?? null;
}

/** @returns where this back end has what the contract knows under `path`. @throws AppError `backend.unsupported` when it has no such thing */
export function speak(link: Pick<BackendLink, "id" | "name" | "isExternal">, spoken: Spoken, path: string): string {
  const missing = missingFor(link, spoken, path);
  if (missing !== null) {
    throw new AppError("backend.unsupported", `The ${link.name} can't do this. ${missing}`, {
      context: { service: link.name },
    });
  }
  return link.id === "device-registry" ? toRegistryPath(spoken.generation, path) : path;
}

function missingFor(link: Asked, spoken: Spoken, path: string): string | null {
  const { id } = link;
  const lacks = (name: BackendCapability["name"]) => lackOf(link, spoken, name);
  if (!spoken.isGatehouse && /\/gatehouse\//.test(path)) return "It is no Gatehouse, and this is our own extension.";
  if (id === "device-registry" && path.startsWith("/api/v2/")) return lacks("events_by_update");
  if (id === "device-registry" && /\/hibernation(?:\?|$)/.test(path)) return lacks("hibernation");
  if (id === "director" && /^\/api\/v1\/updates(?:[/?]|$)/.test(path)) return lacks("scheduled_updates");
  return null;
}

/** A client that finds out what its back end speaks before it says anything. */
export function createSpeakingClient(
  link: BackendLink,
  client: BackendClient,
  find: (call: BackendCall) => Promise<Spoken>,
): BackendClient {
  if (!link.isExternal) return client;
  return {
    ...client,
    async send(call, request) {
      const path = speak(link, await find(call), request.path);
      return client.send(call, { ...request, path });
    },
  };
}
